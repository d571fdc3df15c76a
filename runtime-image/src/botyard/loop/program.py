"""The loop model: one turn of a Persona or of one of its threads, beside the Persona's own loop."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botyard.contract.persona import PersonaConfig
from botyard.loop import erp_schema, keys
from botyard.loop.client import FlexusClient
from botyard.loop.context import TestRun
from botyard.loop.declaration import BotDeclaration, version_number
from botyard.loop.errors import PlatformError
from botyard.loop.install import Installation, installation_of
from botyard.loop.loading import load_bot
from botyard.loop.loop_health import LoopHealth
from botyard.loop.parking import LoopEnded
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.persona_turns import PersonaTurns, failed
from botyard.loop.personas import FPersonaOutput, persona_of
from botyard.loop.thread_model import ask
from botyard.loop.thread_turns import ThreadTurns
from botyard.loop.titles import Titles
from botyard.program import RESIDENT_LEFT, ResidentIO, TurnIO, TurnOutcome, TurnRequest

END_TIMEOUT = 20.0
"""Seconds that a loop gets to end when its Persona leaves the worker."""


class LoopProgram:
    """A loaded bundle of the loop model; see `botyard.program.ResidentialProgram`."""

    def __init__(
        self,
        bot: BotDeclaration,
        installation: Installation,
        *,
        namespace: str,
        workdirs: Path,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.bot = bot
        self._namespace = namespace
        self.installation = installation
        self.workdirs = workdirs
        """Where Personas get their folders."""
        self.test_run: TestRun | None = None
        """Set by who runs a scenario."""
        self._loops: dict[str, PersonaLoop] = {}
        self._configs: dict[str, tuple[PersonaConfig, ResidentIO]] = {}
        self._persona_turns = PersonaTurns(installation)
        self._thread_turns = ThreadTurns(installation, bot.tools, ask, titles=Titles.of(config or {}))

    @classmethod
    def load(
        cls,
        bundle: Path,
        module: str,
        symbol: str,
        *,
        namespace: str = "",
        workdirs: Path | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> "LoopProgram":
        """Import a bundle.

        Args:
            bundle: The unpacked bundle's folder.
            module: Dotted module that starts the bot; empty to look for it.
            symbol: Function in it; empty for `main`.
            namespace: The Bot's.
            workdirs: Where Personas get their folders.
            config: Of the Bot; `titles` in it says who gives threads their titles.

        Raises:
            BotNotFoundError: The bundle starts no bot, or several.
            ValueError: The config cannot be read.
            SchemaError: What it says of its own tables cannot be used.
            Exception: Whatever the bundle's code raises.
        """
        erp_schema.use_own(bundle)
        bot = load_bot(bundle, module, symbol)
        if isinstance(bot.client, FlexusClient):
            bot.client.ws_id = namespace or bot.client.ws_id
        folder = workdirs or Path(tempfile.gettempdir()) / "bot_workspace"
        return cls(bot, installation_of(bot), namespace=namespace, workdirs=folder, config=config)

    async def start_resident(self, persona: PersonaConfig, io: ResidentIO) -> None:
        """Begin a Persona's loop; its handlers see the open tasks again."""
        here = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def tell(health: LoopHealth) -> None:
            def send() -> None:
                data = {
                    "state": health.state,
                    "failures": health.failures,
                    "message": health.message,
                    "unhandled": list(health.unhandled),
                }
                task = here.create_task(io.tell(data))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            if not here.is_closed():
                here.call_soon_threadsafe(send)

        async def post(key: str, payload: dict[str, Any]) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(io.post(key, payload), here))

        async def ask(method: str, arguments: dict[str, Any]) -> Any:
            try:
                return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(io.ask(method, arguments), here))
            except Exception as error:
                raise PlatformError(str(error), str(getattr(error, "code", ""))) from error

        workdir = self.workdirs / persona.name
        loop = PersonaLoop(
            self.bot,
            self._persona(persona),
            workdir=workdir,
            told=tell,
            post=post,
            ask=ask,
            mongo_uri=persona.mongo_uri,
            test_run=self.test_run,
        )
        self._loops[persona.name] = loop
        self._configs[persona.name] = persona, io
        loop.start()
        await io.post(keys.persona_key(persona.name), {"action": "persona.started"})

    async def update_resident(self, persona: PersonaConfig) -> None:
        """Use a changed Persona."""
        if (loop := self._loops.get(persona.name)) is None:
            return
        await loop.update(self._persona(persona), mongo_uri=persona.mongo_uri)
        before, io = self._configs[persona.name]
        self._configs[persona.name] = persona, io
        if (before.schedules, before.budget.time_zone) != (persona.schedules, persona.budget.time_zone):
            await io.post(keys.persona_key(persona.name), {"action": "persona.changed"})

    async def stop_resident(self, name: str) -> None:
        """End a Persona's loop.

        Raises:
            TimeoutError: Its code does not end; the worker is to be killed.
        """
        if (loop := self._loops.pop(name, None)) is None:
            return
        self._configs.pop(name, None)
        loop.stop()
        if not await asyncio.to_thread(loop.join, END_TIMEOUT):
            raise TimeoutError(f"the loop of {name} does not end")

    async def run_turn(self, request: TurnRequest, io: TurnIO) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        try:
            persona, thread = keys.parse(request.key)
        except ValueError as error:
            return failed("PersonaRequired", f"{error}; say which Persona is meant")
        loop = self._loops.get(persona)
        if loop is None:
            return failed("UnknownPersona", f"there is no Persona {persona!r} of this Bot")
        try:
            turns = self._thread_turns if thread else self._persona_turns
            return await turns.run(request, io, loop)
        except LoopEnded as error:
            return failed(RESIDENT_LEFT, f"{persona}: {error}")

    def _persona(self, config: PersonaConfig) -> FPersonaOutput:
        version = version_number(self.bot.version) if self.bot.version else 0
        return persona_of(config, namespace=self._namespace, bot=self.bot.name, version=version)
