"""Collects what a machine sends in a turn, in order and bounded."""

import threading
from collections.abc import Callable, Collection
from typing import Any

from botyard.fsm.errors import OutputError
from botyard.fsm.messages.neutral import CONVERSATION_RESET, RAG_CALL, neutral_outputs, references
from botyard.fsm.messages.output import FSMOutput
from botyard.fsm.plain import plain
from botyard.fsm.questions import Question
from botyard.program import Output
from botyard.retrieval import check

MAX_OUTPUTS = 1_000
"""Outputs of one turn: a loop around `send_message` ends as an error instead of filling the memory."""


class Outbox:
    """The `send_message` of one turn."""

    def __init__(
        self, agent: str | None, register: Callable[[str], None], collections: Callable[[], Collection[str]] = tuple
    ) -> None:
        """Begin a turn.

        Args:
            agent: Who speaks; None for the bot itself.
            register: Makes a callback reference known; returns when it is.
            collections: Returns the names of the document collections that answer questions; none leaves that to
                others. Called when the bot asks.
        """
        self._collections = collections
        self._agent = agent
        self._register = register
        self._outputs: list[Output] = []
        self._lock = threading.Lock()
        self._open = True
        self.references: list[str] = []
        """References that this turn handed out, or that its questions carry."""
        self.questions: list[Question] = []
        """Questions that the bot's documents answer."""
        self.asked_for_reset = False

    def send_message(self, message: Any) -> None:
        """Take one message of the bot.

        Args:
            message: An `FSMOutput`, or a dict of its fields.

        Raises:
            OutputError: It is none, cannot be sent, is one too many, or the turn is over.
            RetrievalError: It asks a collection that the bot does not have.
        """
        if isinstance(message, dict):
            message = FSMOutput.model_validate(message)
        if not isinstance(message, FSMOutput):
            raise OutputError(f"send_message takes an FSMOutput, not {type(message).__name__}.")
        for reference in references(message):
            self._register(reference)
            self.references.append(reference)
        for kind, data in neutral_outputs(message):
            if kind == CONVERSATION_RESET:
                self.asked_for_reset = True
            if kind == RAG_CALL:
                self._ask(data, as_input=message.intent is None)
            self.add(kind, data)

    def _ask(self, data: dict[str, Any], *, as_input: bool) -> None:
        question = Question.of(data, as_input=as_input)
        if known := self._collections():
            check(question.collection, known)
            self.questions.append(question)
        else:
            self._register(question.reference)
            data["reference"] = question.reference
        self.references.append(question.reference)

    def start_over(self) -> None:
        """Forget what belongs to the session before a reset; its messages stay."""
        self.references.clear()
        self.questions.clear()

    def add(self, kind: str, data: dict[str, Any]) -> None:
        """Append an output.

        Raises:
            OutputError: See `send_message`.
        """
        output = Output(type=kind, step="fsm", status="completed", agent=self._agent, data=plain(data, "output"))
        with self._lock:
            if not self._open:
                raise OutputError("The turn is over: send messages from the state, not from a thread behind it.")
            if len(self._outputs) >= MAX_OUTPUTS:
                raise OutputError(f"A turn may send {MAX_OUTPUTS} messages; this one sends more.")
            self._outputs.append(output)

    def close(self) -> tuple[Output, ...]:
        """End the turn and return its outputs."""
        with self._lock:
            self._open = False
            return tuple(self._outputs)
