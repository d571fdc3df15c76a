"""Which Personas live in which worker: level-triggered, from the Personas of the partitions that this replica owns.

A bundle of the loop model has code that runs between events, one loop for each Persona. Such a Persona is a resident:
it is started in one worker of the replica that owns its partition, its turns run there, and it is gone from there
before the partition is given to anybody else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from botyard.contract.persona import PersonaConfig

log = logging.getLogger("botyard.residents")

STOP_TIMEOUT = 30.0
"""Seconds that a Persona's loop gets to end; then its worker is killed, and the others in it start anew."""

State = Literal["starting", "running", "stopping"]


class Host(Protocol):
    """A worker that residents can live in."""

    @property
    def name(self) -> str:
        """Which worker."""

    @property
    def ready(self) -> bool:
        """Whether it has the bundle imported and has not ended."""

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Send it a frame; a broken connection is its own affair."""


@dataclass(slots=True)
class Resident:
    """One Persona in one worker."""

    host: Host
    config: PersonaConfig
    state: State = "starting"
    deadline: float = 0.0
    """Loop time until which it may be stopping."""
    health: dict[str, Any] = field(default_factory=dict)


class Residents:
    """Starts, changes and stops residents until cancelled."""

    def __init__(
        self,
        *,
        wanted: Callable[[], Mapping[str, PersonaConfig]],
        hosts: Callable[[], Iterable[Host]],
        kill: Callable[[Host], Awaitable[None]],
        changed: Callable[[str, Mapping[str, Any]], None],
        left: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `run` begins.

        Args:
            wanted: Personas that should live here now, by name.
            hosts: Workers that may have residents.
            kill: Ends a worker whose resident does not stop.
            changed: Told how a resident fares whenever that changes.
            left: Told when a resident is gone from here: it may live elsewhere.
        """
        self._wanted = wanted
        self._hosts = hosts
        self._kill = kill
        self._told = changed
        self._left = left
        self._here: dict[str, Resident] = {}
        self._apart: dict[str, Host] = {}
        """Residents that are to live in a worker of their own for now."""
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()

    @property
    def here(self) -> Mapping[str, Resident]:
        """The residents of this replica."""
        return self._here

    def wake(self) -> None:
        """Look again: Personas, partitions or workers have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Keep residents as they are wanted."""
        while True:
            self._wake.clear()
            soonest = await self._reconcile()
            try:
                async with asyncio.timeout_at(soonest):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def host_of(self, name: str) -> Host:
        """Return the worker in which `name` runs, once it does."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._runs(name))
            return self._here[name].host

    async def apart(self, name: str, host: Host) -> None:
        """Return when `name` runs in `host`, apart from the others, until `together` is called."""
        self._apart[name] = host
        self.wake()
        async with self._moved:
            await self._moved.wait_for(lambda: self._lives(name) and self._here[name].host is host)

    def together(self, name: str) -> None:
        """Have `name` live where residents live; events wait until it does."""
        self._apart.pop(name, None)
        self.wake()

    def lodgers(self, host: Host) -> int:
        """Return how many residents live in a worker."""
        return sum(resident.host is host for resident in self._here.values())

    async def gone(self, names: Iterable[str]) -> None:
        """Return when none of `names` lives here; they must not be wanted any more."""
        left = set(names)
        self.wake()
        async with self._moved:
            await self._moved.wait_for(lambda: not left & self._here.keys())

    async def hears(self, host: Host, message: Mapping[str, Any]) -> None:
        """Take what a worker says of a resident: `{name, state, health}`."""
        name = str(message.get("name"))
        resident = self._here.get(name)
        if resident is None or resident.host is not host:
            return
        state = message.get("state")
        if state == "started" and resident.state == "starting":
            resident.state = "running"
        elif state == "stopped":
            del self._here[name]
            self._left()
        if isinstance(health := message.get("health"), Mapping) and health != resident.health:
            resident.health = {str(key): value for key, value in health.items()}
            self._told(name, resident.health)
        await self._announce()

    def _lives(self, name: str) -> bool:
        resident = self._here.get(name)
        return resident is not None and resident.state == "running" and resident.host.ready

    def _runs(self, name: str) -> bool:
        """Tell whether events of `name` can run: where it lives it may stay."""
        if name in self._apart or not self._lives(name):
            return False
        return self._here[name].host in list(self._hosts())

    async def _announce(self) -> None:
        self.wake()
        async with self._moved:
            self._moved.notify_all()

    async def _reconcile(self) -> float | None:
        """Bring residents nearer to what is wanted; return the loop time at which to look again, if any."""
        now = asyncio.get_running_loop().time()
        wanted = self._wanted()
        hosts = [host for host in self._hosts() if host.ready]
        for name, resident in list(self._here.items()):
            if not resident.host.ready:
                del self._here[name]
                self._left()
            elif resident.state == "stopping":
                if resident.deadline <= now:
                    log.warning("%s did not stop within %g s; its worker is killed", name, STOP_TIMEOUT)
                    await self._kill(resident.host)
                    resident.deadline = now + STOP_TIMEOUT
            elif name not in wanted or not self._may_stay(name, resident, hosts):
                resident.state, resident.deadline = "stopping", now + STOP_TIMEOUT
                await resident.host.tell({"t": "resident", "do": "stop", "name": name})
            elif resident.state == "running" and resident.config != wanted[name]:
                resident.config = wanted[name]
                await self._tell(resident, "update")
        lodgers = Counter(resident.host.name for resident in self._here.values())
        for name in wanted.keys() - self._here.keys():
            apart = self._apart.get(name)
            if apart is None and not hosts:
                continue
            host = apart if apart is not None else min(hosts, key=lambda host: lodgers[host.name])
            if not host.ready:
                continue  # It ended; who wanted to be in it hears of that.
            lodgers[host.name] += 1
            self._here[name] = Resident(host, wanted[name])
            await self._tell(self._here[name], "start")
        async with self._moved:
            self._moved.notify_all()
        return min((r.deadline for r in self._here.values() if r.state == "stopping"), default=None)

    def _may_stay(self, name: str, resident: Resident, hosts: list[Host]) -> bool:
        """Tell whether a resident is where it should be."""
        if (apart := self._apart.get(name)) is not None:
            return resident.host is apart
        # While there is nowhere to go it stays.
        return not hosts or resident.host in hosts

    async def _tell(self, resident: Resident, do: str) -> None:
        persona = resident.config
        message = {"t": "resident", "do": do, "name": persona.name, "persona": persona.model_dump(by_alias=True)}
        await resident.host.tell(message)
