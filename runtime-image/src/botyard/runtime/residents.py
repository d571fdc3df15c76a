"""Which Personas live in which worker: level-triggered, from the Personas of the partitions that this replica owns.

A bundle of the loop model has code that runs between events, one loop for each Persona. Such a Persona is a resident:
it is started in one worker of the replica that owns its partition, its turns run there, and it is gone from there
before the partition is given to anybody else. Those that are suspected of ending workers live apart
(`botyard.runtime.suspects`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from botyard.contract.persona import PersonaConfig
from botyard.runtime.hosts import Host
from botyard.runtime.suspects import Suspects

log = logging.getLogger("botyard.residents")

STOP_TIMEOUT = 30.0
"""Seconds that a Persona's loop gets to end; then its worker is killed, and the others in it start anew."""

State = Literal["starting", "running", "stopping"]


@dataclass(slots=True)
class Resident:
    """One Persona in one worker."""

    host: Host
    config: PersonaConfig
    since: float
    """Loop time at which it was told to begin there."""
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
        take: Callable[[], Host | None],
        give_back: Callable[[Host], None],
        left: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `run` begins.

        Args:
            wanted: Personas that should live here now, by name.
            hosts: Workers that may have residents.
            kill: Ends a worker whose resident does not stop.
            changed: Told how a resident fares whenever that changes.
            take: Gives an idle worker for suspects to live in; None: there is none yet.
            give_back: Takes it back.
            left: Told when a resident is gone from here: it may live elsewhere.
        """
        self._wanted = wanted
        self._hosts = hosts
        self._kill = kill
        self._told = changed
        self._left = left
        self._take, self._give_back = take, give_back
        self._tried: dict[str, PersonaConfig] = {}
        """What suspects were when they ended their worker: another setup is tried at once."""
        self._lent: set[Host] = set()
        """Workers that suspects live in."""
        self.suspects = Suspects()
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

    async def host_of(self, name: str) -> Host | None:
        """Return the worker in which `name` runs, once it does; None: it pauses for a while (`pause_of`)."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._runs(name) or self.pause_of(name) > 0)
            return self._here[name].host if self._runs(name) else None

    def pause_of(self, name: str) -> float:
        """Return the seconds until `name` begins again, because it ended its worker; 0: it does not pause."""
        return self.suspects.pause_of(name, asyncio.get_running_loop().time())

    async def apart(self, name: str, host: Host) -> bool:
        """Return when `name` runs in `host`, apart from the others, until `together` is called; False: one ended."""
        self._apart[name] = host
        self.wake()
        async with self._moved:
            await self._moved.wait_for(lambda: self._runs_in(name, host) or not host.ready or self.pause_of(name) > 0)
        return self._runs_in(name, host)

    def ended(self, host: Host, how: str) -> None:
        """Take note that a worker ended by itself: whose loop had just begun there is suspected.

        Args:
            host: The worker.
            how: For people.
        """
        now = asyncio.get_running_loop().time()
        lived = {name: resident for name, resident in self._here.items() if resident.host is host}
        blamed = self.suspects.ended({name: now - resident.since for name, resident in lived.items()}, now, how)
        for name in blamed:
            self._tried[name] = lived[name].config
            self._tell_health(name, {"state": "failing"})
        if blamed:
            log.warning("suspected of the end of worker %s: %s", host.name, ", ".join(blamed)[:1000])
        self.wake()

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
            self._tell_health(name, resident.health)
        await self._announce()

    def _tell_health(self, name: str, health: Mapping[str, Any]) -> None:
        """Tell how a resident fares, with what is held against it: that it runs again says little yet."""
        blame = self.suspects.blame_of(name)
        if blame is not None and not health.get("failures"):
            health = {**health, "failures": blame.times, "message": blame.message}
        self._told(name, health)

    def _lives(self, name: str) -> bool:
        resident = self._here.get(name)
        return resident is not None and resident.state == "running" and resident.host.ready

    def _runs(self, name: str) -> bool:
        """Tell whether events of `name` can run: where it lives it may stay."""
        if name in self._apart or not self._lives(name):
            return False
        host = self._here[name].host
        if (group := self.suspects.group_of(name)) is not None:
            return host is group.host
        return host in list(self._hosts())

    async def _announce(self) -> None:
        self.wake()
        async with self._moved:
            self._moved.notify_all()

    async def _reconcile(self) -> float | None:
        """Bring residents nearer to what is wanted; return the loop time at which to look again, if any."""
        now = asyncio.get_running_loop().time()
        wanted = self._wanted()
        self._try_suspects(wanted, now)
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
            host = self._place_of(name, hosts, lodgers)
            if host is None or not host.ready:
                continue
            lodgers[host.name] += 1
            self._here[name] = Resident(host, wanted[name], since=asyncio.get_running_loop().time())
            await self._tell(self._here[name], "start")
        async with self._moved:
            self._moved.notify_all()
        times = [r.deadline for r in self._here.values() if r.state == "stopping"]
        if (suspects := self.suspects.next_look(now)) is not None:
            times.append(suspects)
        return min(times, default=None)

    def _try_suspects(self, wanted: Mapping[str, PersonaConfig], now: float) -> None:
        """Give suspects workers of their own, and take for innocent who has run there long enough."""
        self.suspects.keep_only(wanted)
        self._tried = {name: config for name, config in self._tried.items() if self.suspects.blame_of(name)}
        for name, config in self._tried.items():
            if wanted[name] != config:
                self._tried[name] = wanted[name]
                self.suspects.retry(name)
        for group in self.suspects.groups:
            if group.host is not None and not group.host.ready:
                # It was ended for something else.
                group.host = group.until = None
            if group.host is None:
                continue
            if group.until is None and all(self._runs_in(name, group.host) for name in group.names):
                group.until = now + group.proof
            if group.until is not None and group.until <= now:
                for name in self.suspects.acquit(group):
                    if (resident := self._here.get(name)) is not None:
                        self._tell_health(name, resident.health)
        while (beginning := self.suspects.may_begin(now)) is not None and (host := self._take()) is not None:
            beginning.host = host
            self._lent.add(host)
        for unused in self._lent - {group.host for group in self.suspects.groups}:
            self._lent.discard(unused)
            self._give_back(unused)

    def _runs_in(self, name: str, host: Host) -> bool:
        return self._lives(name) and self._here[name].host is host

    def _place_of(self, name: str, hosts: list[Host], lodgers: Counter[str]) -> Host | None:
        """Return where a resident begins; None: nowhere for now."""
        if (apart := self._apart.get(name)) is not None:
            return apart if not self.pause_of(name) else None
        if (group := self.suspects.group_of(name)) is not None:
            return group.host
        return min(hosts, key=lambda host: lodgers[host.name], default=None)

    def _may_stay(self, name: str, resident: Resident, hosts: list[Host]) -> bool:
        """Tell whether a resident is where it should be."""
        if (apart := self._apart.get(name)) is not None:
            return resident.host is apart
        if (group := self.suspects.group_of(name)) is not None:
            return resident.host is group.host
        # While there is nowhere to go it stays.
        return not hosts or resident.host in hosts

    async def _tell(self, resident: Resident, do: str) -> None:
        persona = resident.config
        message = {"t": "resident", "do": do, "name": persona.name, "persona": persona.model_dump(by_alias=True)}
        await resident.host.tell(message)
