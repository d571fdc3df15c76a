"""FsmProgram: runs the turns of an FSM bundle for the supervisor."""

import asyncio
import contextvars
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from botyard.fsm import inputs, languages, session, speech
from botyard.fsm.errors import FsmError, SessionStateError
from botyard.fsm.failures import describe
from botyard.fsm.files import FileRules
from botyard.fsm.inputs import MachineInput
from botyard.fsm.inspection import Inspection, inspect_machine
from botyard.fsm.languages import Tongue, Translation
from botyard.fsm.loading import load_bot
from botyard.fsm.machine import AbstractFSM
from botyard.fsm.messages.neutral import CONVERSATION_RESET
from botyard.fsm.outbox import Outbox
from botyard.fsm.questions import Question, is_question
from botyard.fsm.speech import Speech, Voice
from botyard.fsm.status import Status
from botyard.fsm.threads import Threads
from botyard.model import ModelCallError
from botyard.program import TurnError, TurnIO, TurnOutcome, TurnRequest
from botyard.retrieval import Retrieval, RetrievalError

MAX_THREADS = 64
"""Turns that run at once in one worker; the supervisor's own limit is lower by default."""
ANSWER_TIMEOUT_SECONDS = 30.0
"""For what the platform is asked while the bot's code waits for it."""
INPUT_IGNORED = "fsm.input_ignored"
SESSION_RESET = "fsm.session_reset"
MAX_REFERENCES = 32
"""Callback references of one session that stay good; older ones are forgotten."""

REFERENCES = "references"
"""Member of the saved state beside `main` and `plugins`: references that this session handed out."""

LANGUAGE = "language"
"""Member of the saved state: the language that the user chose, where the bot is translated."""

_WAITS = {
    Status.WAIT_FOR_USER_INPUT: "message",
    Status.WAIT_FOR_CALLBACK: "callback",
    Status.WAIT_FOR_PLUGIN: "plugin",
}


class FsmProgram:
    """A loaded FSM bundle.

    A turn is atomic: its outputs are handed over with its outcome, in order, and dropped with it when it fails. The
    bundle's code runs in a thread, with the context variables of the caller; it gets a copy of the saved state and
    can never write into the host's.
    """

    def __init__(
        self,
        bot: type[AbstractFSM],
        bundle: Path,
        credentials: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Wrap a bot's class.

        Args:
            bot: The class.
            bundle: The folder that its code lies in, for naming places in errors.
            credentials: Given to the bot's constructor.
            config: Given to the bot's constructor where that has a parameter `config`; `files` in it are the rules
                for files of messages (see `FileRules`), `translation` the language that the bot is written in (see
                `Translation`), `retrieval` how its questions are answered (see `RetrievalSettings`),
                `speech` who turns speech into text and back (see `Speech`).

        Raises:
            ValueError: One of these is not what it may be.
        """
        self.bot = bot
        self._bundle = bundle.resolve()
        self._credentials = dict(credentials or {})
        self._config = dict(config or {})
        self._rules = FileRules.of(self._config)
        self._translation = Translation.of(self._config)
        self._speech = Speech.of(self._config)
        self._retrieval = Retrieval(self._bundle, self._config)
        self._threads = Threads(MAX_THREADS, "fsm-turn")

    @classmethod
    def load(
        cls,
        bundle_dir: str | Path,
        module: str = "",
        symbol: str = "",
        credentials: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> "FsmProgram":
        """Import a bundle.

        Args:
            bundle_dir: The unpacked bundle's folder.
            module: Dotted module below it; empty to look for it.
            symbol: The bot's class; empty to look for it.
            credentials: See `__init__`.
            config: See `__init__`.

        Raises:
            BotNotFoundError: No bot, or several.
            ValueError: The bot's declarations are not sound (also raised by its constructor, where that checks them).
            Exception: Whatever the bundle's code raises when it is imported.
        """
        bot = load_bot(Path(bundle_dir), module, symbol)
        program = cls(bot, Path(bundle_dir), credentials, config)
        try:
            bot.check_sanity()
        except ValueError:
            # A bot whose constructor adds its states says nothing in its class: ask an instance. Where the
            # constructor fails for another reason, such as a missing credential, that is the cause to be told.
            session.construct(bot, lambda message: None, program._credentials, program._config)
        return program

    def inspect(self) -> Inspection:
        """Return the bot's states and transitions, what is wrong with them, and their diagram."""
        return inspect_machine(self.bot, self.probe())

    def probe(self) -> AbstractFSM | None:
        """Return an instance that sends nothing, or None where the constructor fails."""
        try:
            return session.construct(self.bot, lambda message: None, self._credentials, self._config)
        except Exception:
            return None

    def construction_failure(self) -> TurnError | None:
        """Return why no instance can be made, or None."""
        try:
            session.construct(self.bot, lambda message: None, self._credentials, self._config)
        except Exception as error:
            return describe(error, self._bundle, self.bot)
        return None

    async def run_turn(self, request: TurnRequest, io: TurnIO) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        voice = Voice(self._speech, self._credentials, io, asyncio.get_running_loop())
        speech.bind(voice)
        tongue = self._tongue(request, io)
        try:
            given = await inputs.read(request, self._rules)
            spoke = given.is_audio
            if spoke and self._speech.listen is not None:
                given = await _heard(given, voice, tongue)
            if tongue.translates and given.is_plain_text and isinstance(given.user_input, str):
                given = replace(given, user_input=await tongue.to_own(given.user_input))
        except (FsmError, ModelCallError) as error:
            return TurnOutcome(error=describe(error, self._bundle))
        outcome = await self._run_machine(request, io, given)
        if outcome.error is not None:
            return outcome
        try:
            outputs = await tongue.to_users(outcome.outputs)
            if spoke and self._speech.speak is not None:
                outputs = await speech.spoken(outputs, voice)
        except (FsmError, ModelCallError) as error:
            return TurnOutcome(error=describe(error, self._bundle))
        state = {**outcome.state, LANGUAGE: tongue.language} if outcome.state and tongue.language else outcome.state
        return outcome.model_copy(update={"state": state, "outputs": outputs})

    def _tongue(self, request: TurnRequest, io: TurnIO) -> Tongue:
        if self._translation is None:
            return Tongue()
        role = self._translation.role

        async def ask(body: dict[str, Any]) -> Mapping[str, Any]:
            return await io.model("chat", body, role, None)

        language = languages.chosen(request.payload) or str((request.state or {}).get(LANGUAGE) or "")
        return Tongue(self._translation.language, language, ask)

    async def _run_machine(self, request: TurnRequest, io: TurnIO, given: MachineInput) -> TurnOutcome:
        loop = asyncio.get_running_loop()

        def register(reference: str) -> None:
            known = asyncio.run_coroutine_threadsafe(io.register_reference(reference), loop)
            known.result(ANSWER_TIMEOUT_SECONDS)

        def collections() -> list[str]:
            found = asyncio.run_coroutine_threadsafe(self._retrieval.collections(io), loop)
            return found.result(ANSWER_TIMEOUT_SECONDS)

        if given.question is not None and request.state and not _is_of_former_session(request.state, given.reference):
            try:
                given = given.answered(await self._answers(given.question, io))
            except (RetrievalError, ModelCallError) as error:
                return TurnOutcome(error=describe(error, self._bundle))
        run = partial(contextvars.copy_context().run, self._turn, request, given, register, collections)
        return await self._threads.run(run)

    async def _answers(self, question: Question, io: TurnIO) -> list[dict[str, Any]]:
        return await self._retrieval.ask(
            io, question.query, question.collection, question.count, hybrid=question.hybrid
        )

    def _turn(self, request: TurnRequest, given: MachineInput, register: Any, collections: Any) -> TurnOutcome:
        agent = (request.persona.display_name or None) if request.persona is not None else None
        outbox = Outbox(agent, register, collections)
        _provide_event_loop()
        try:
            state, ended = self._run(request.state, given, outbox, reset_incompatible=request.reset_incompatible)
        except BaseException as error:  # SystemExit in a bot ends its turn, not the worker
            outbox.close()
            return TurnOutcome(error=describe(error, self._bundle, self.bot))
        asked = () if ended else tuple(question.event() for question in outbox.questions)
        return TurnOutcome(state=state, outputs=outbox.close(), ended=ended, events=asked)

    def _run(
        self, saved: Mapping[str, Any] | None, given: MachineInput, outbox: Outbox, *, reset_incompatible: bool
    ) -> tuple[dict[str, Any] | None, bool]:
        """Return the session's state after the turn (None at its end), and whether it has ended."""
        if saved and reset_incompatible and not given.reset and (misfit := self._misfit(saved)):
            outbox.add(SESSION_RESET, {"reason": "IncompatibleState", "state": _state_of(saved), "message": misfit})
            if given.kind == "callback":
                return None, True
            saved, given = None, MachineInput(user_input=inputs.RESET, reset=True)
        if given.kind == "callback" and not saved:
            data = {"got": "callback", "waiting_for": None, "reason": "NoSession"}
            outbox.add(INPUT_IGNORED, data | {"message": "The callback came when no session was waiting."})
            return None, False
        if saved and _is_of_former_session(saved, given.reference):
            data = {"got": "callback", "waiting_for": None, "reason": "FormerSession"}
            outbox.add(INPUT_IGNORED, data | {"message": "The callback's session was reset; it changed nothing."})
            return dict(saved), False
        if given.reset and saved:
            outbox.add(CONVERSATION_RESET, {})
        earlier = saved.get(REFERENCES, []) if saved and not given.reset else []
        machine = self._step(None if given.reset else saved, given, outbox)
        if outbox.asked_for_reset and not given.reset:
            earlier = []
            outbox.start_over()
            machine = self._step(None, MachineInput(user_input=inputs.RESET, reset=True), outbox)
        if machine.status is Status.END:
            return None, True
        state = session.committable(machine)
        if references := [*earlier, *outbox.references][-MAX_REFERENCES:]:
            state[REFERENCES] = references
        return state, False

    def _step(self, saved: Mapping[str, Any] | None, given: MachineInput, outbox: Outbox) -> AbstractFSM:
        machine = self._open(saved, outbox)
        machine.current_files = list(given.files)
        machine.current_text = given.text
        user_input, callback = given.user_input, given.callback
        if given.chunks is not None and machine.waits_for() is Status.WAIT_FOR_USER_INPUT:
            user_input, callback = json.dumps({"chunks": list(given.chunks)}, ensure_ascii=False), None
        machine.submit_callback(callback)
        machine.submit_input(user_input)
        machine.run()
        if machine.ignored_input is not None:
            waiting = _WAITS.get(machine.waits_for())
            outbox.add(
                INPUT_IGNORED,
                {
                    "got": given.kind,
                    "waiting_for": waiting,
                    "state": machine.state_name,
                    "reason": "WrongKind",
                    "message": f"State {machine.state_name!r} waits for a {waiting}; the {given.kind} changed nothing.",
                },
            )
        return machine

    def _misfit(self, saved: Mapping[str, Any]) -> str:
        """Return why a saved session cannot be restored, or an empty text."""
        machine = session.construct(self.bot, lambda message: None, self._credentials, self._config)
        try:
            session.restore_document(machine, saved)
        except ValueError as error:
            return str(error)
        return ""

    def _open(self, saved: Mapping[str, Any] | None, outbox: Outbox) -> AbstractFSM:
        machine = session.construct(self.bot, outbox.send_message, self._credentials, self._config)
        if saved:
            try:
                session.restore_document(machine, saved)
            except ValueError as error:
                raise SessionStateError(
                    f'{error}\nThis session cannot go on with the present revision; the message "hi" starts it anew.'
                ) from error
        return machine


async def _heard(given: MachineInput, voice: Voice, tongue: Tongue) -> MachineInput:
    """Return the input that is text instead of sound; the file stays among the files."""
    file = given.files[0]
    text = await voice.transcribe(file.name, file.mime_type, file.content, tongue.language.partition("-")[0])
    return replace(given, user_input=text, is_plain_text=True)


def _is_of_former_session(saved: Mapping[str, Any], reference: str) -> bool:
    """Tell whether a callback belongs to a session of this conversation that was reset since."""
    handed_out = saved.get(REFERENCES) or ()
    if is_question(reference):
        return reference not in handed_out
    return bool(handed_out) and reference.startswith("jbkey") and reference not in handed_out


def _state_of(saved: Mapping[str, Any]) -> str | None:
    main = saved.get("main")
    return str(main.get("state")) if isinstance(main, Mapping) else None


def _provide_event_loop() -> None:
    """Give this thread an event loop, as a main thread has: bots call `asyncio.get_event_loop()` in their states."""
    try:
        if not asyncio.get_event_loop().is_closed():
            return
    except RuntimeError:
        pass
    asyncio.set_event_loop(asyncio.new_event_loop())
