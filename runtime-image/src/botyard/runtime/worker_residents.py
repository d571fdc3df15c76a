"""The worker's side of residents: the bundle's program starts, changes and stops them, in the order it was told."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from botyard.contract.persona import PersonaConfig
from botyard.program import ResidentialProgram

log = logging.getLogger("botyard.residents")

Send = Callable[[dict[str, Any]], Awaitable[None]]
Call = Callable[[str, str, dict[str, Any]], Awaitable[Any]]
"""Asks the supervisor: (whose, method, args) → answer."""


class WorkerResidents:
    """The residents of one worker."""

    def __init__(self, program: ResidentialProgram, send: Send, call: Call) -> None:
        self._program = program
        self._send = send
        self._call = call
        self._running: dict[str, asyncio.Task[None]] = {}
        """The last thing that each was told: the next one waits for it."""

    def take(self, message: Mapping[str, Any]) -> None:
        """Do what the supervisor says of one resident, after everything that it said of it before."""
        name = str(message["name"])
        earlier = self._running.get(name)
        task = asyncio.create_task(self._after(earlier, message), name=f"resident {name}")
        self._running[name] = task
        task.add_done_callback(lambda done: self._forget(name, done))

    def _forget(self, name: str, done: asyncio.Task[None]) -> None:
        if self._running.get(name) is done:
            del self._running[name]

    async def _after(self, earlier: asyncio.Task[None] | None, message: Mapping[str, Any]) -> None:
        if earlier is not None:
            await asyncio.wait((earlier,))
        name, do = str(message["name"]), message["do"]
        try:
            if do == "stop":
                await self._program.stop_resident(name)
                await self._send({"t": "resident", "name": name, "state": "stopped"})
                return
            persona = PersonaConfig.model_validate(message["persona"])
            if do == "update":
                await self._program.update_resident(persona)
            else:
                await self._program.start_resident(persona, _ResidentIO(name, self._send, self._call))
                await self._send({"t": "resident", "name": name, "state": "started"})
        except ConnectionError:
            return
        except Exception as error:
            log.exception("resident %s: %s failed", name, do)
            health = {"state": "failing", "message": f"{type(error).__name__}: {error}"[:1000]}
            with contextlib.suppress(ConnectionError):
                await self._send({"t": "resident", "name": name, "state": "failed", "health": health})


class _ResidentIO:
    """What a resident may ask of the platform between events (see `botyard.program.ResidentIO`)."""

    def __init__(self, name: str, send: Send, call: Call) -> None:
        self._name = name
        self._send = send
        self._call = call

    async def tell(self, health: Mapping[str, Any]) -> None:
        """Say how the resident fares."""
        with contextlib.suppress(ConnectionError):
            await self._send({"t": "resident", "name": self._name, "state": "health", "health": dict(health)})

    async def post(self, key: str, payload: Mapping[str, Any], *, event_id: str = "") -> None:
        """Have an event of the Persona, or of something that belongs to it, accepted."""
        await self._call(f"@{self._name}", "post", {"key": key, "payload": dict(payload), "id": event_id})

    async def ask(self, method: str, args: Mapping[str, Any]) -> Any:
        """Ask something of the platform."""
        return await self._call(f"@{self._name}", method, dict(args))
