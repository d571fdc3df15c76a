"""The declared models as things that can be called: provider, breaker and room for calls."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from botyard.contract.model import ModelConfig, ModelTarget
from botyard.models.breaker import Breaker
from botyard.models.errors import ModelBusy, ModelError, NoModel
from botyard.models.provider import Provider
from botyard.models.script_file import ScriptFile
from botyard.models.scripted import ScriptedProvider

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("botyard.models")

MAX_WAITING = 1000
"""Calls of one model that wait for room."""
ROOM_TIMEOUT = 120.0
"""Seconds that a call waits for room."""
_MAX_TOLD = 100


@dataclass(slots=True)
class Target:
    """One model that can be called."""

    model: str
    """Its name at the provider, by which it is priced."""
    provider_name: str
    provider: Provider
    room: asyncio.Semaphore
    waiting: int = field(default=0)

    @property
    def name(self) -> str:
        """What messages and metrics call it."""
        return self.model or self.provider_name

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Be one of the calls that run at once.

        Raises:
            ModelBusy: Too many wait already, or none ended in time.
        """
        if self.waiting >= MAX_WAITING:
            raise ModelBusy(f"{self.waiting} calls of model {self.name} wait already")
        self.waiting += 1
        try:
            async with asyncio.timeout(ROOM_TIMEOUT):
                await self.room.acquire()
        except TimeoutError:
            raise ModelBusy(f"no call of model {self.name} ended within {ROOM_TIMEOUT:g} s") from None
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self.room.release()


class Targets:
    """Makes targets when they are first asked for and keeps them, with their breakers, as long as they are declared."""

    def __init__(self, *, scripts: Path, keys: Path) -> None:
        self._scripts = scripts
        self._keys = keys
        self._made: dict[tuple[ModelTarget, int], Target] = {}
        self._session: aiohttp.ClientSession | None = None
        self._told: set[str] = set()

    def find(self, config: ModelConfig, *, role: str, named: str) -> Target:
        """Return the model of a role, or the one that a request names.

        Published bots name models of their own; what is neither a role nor a declared model means the Bot's, because
        whoever runs the bot decides which model is paid.

        Raises:
            NoModel: The role is not declared.
        """
        wanted: ModelTarget = config
        if role:
            if role not in config.roles:
                known = ", ".join(config.roles) or "none"
                raise NoModel(f"spec.model.roles has no role {role!r} (it has {known})")
            wanted = config.roles[role]
        elif named in config.roles:
            wanted = config.roles[named]
        elif named and named != config.name:
            other = next((target for target in config.roles.values() if target.name == named), None)
            if other is None and len(self._told) < _MAX_TOLD and named not in self._told:
                self._told.add(named)
                log.info("model %.100r is not declared; %s answers in its place", named, config.name or "the script")
            wanted = other or config
        return self._made_of(config, wanted)

    def _made_of(self, config: ModelConfig, wanted: ModelTarget) -> Target:
        plain = ModelTarget.model_validate({name: getattr(wanted, name) for name in ModelTarget.model_fields})
        identity = (plain, config.concurrency)
        if (found := self._made.get(identity)) is None:
            declared = {
                ModelTarget.model_validate({n: getattr(t, n) for n in ModelTarget.model_fields})
                for t in config.targets()
            }
            for old in [old for old in self._made if old[0] not in declared]:
                del self._made[old]
            room = asyncio.Semaphore(config.concurrency)
            found = self._made[identity] = Target(plain.name, plain.provider, self._provider(plain), room)
        return found

    def _provider(self, target: ModelTarget) -> Provider:
        if target.provider == "scripted":
            return ScriptedProvider(ScriptFile(self._scripts / target.script).current, name=target.name)
        # Bots that ask no model, or the scripted one, do without the memory that a client for HTTP takes.
        from botyard.models.http_provider import OPENAI, HttpProvider
        from botyard.models.http_session import new_session

        if self._session is None:
            self._session = new_session()
        return HttpProvider(
            self._session,
            key=self._key(target.key),
            model=target.name,
            endpoint=target.endpoint or OPENAI,
            breaker=Breaker(f"the provider of model {target.name}"),
        )

    def _key(self, entry: str) -> Callable[[], str]:
        def read() -> str:
            if not entry:
                return ""
            try:
                # Read for each call: a Secret that changes is in force as soon as it is mounted.
                return (self._keys / entry).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                message = "the API key of the model cannot be read: see spec.model.secretRef"
                raise ModelError(message, code="no_key", status=503) from error

        return read

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
