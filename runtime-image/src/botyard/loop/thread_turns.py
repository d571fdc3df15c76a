"""Turns of a thread: somebody says something, the model answers, tools are called, until it is somebody's turn again.

One event is one turn, however often model and tools alternate in it. Each answer of the model and each result of a
tool is a journaled step, so a turn that runs again after a crash neither pays nor acts twice. Messages are records of
their own: what a turn costs does not grow with the thread.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from botyard.loop import keys
from botyard.loop.calls import CallOutcome, no_handler
from botyard.loop.install import DEFAULT, FMarketplaceExpertInput, Installation
from botyard.loop.model_messages import as_model_messages, content_of_result
from botyard.loop.parking import Parked
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.thread_state import ThreadState
from botyard.loop.threads import FThreadMessageOutput, title_of
from botyard.loop.tools import CloudTool, FCloudtoolCall
from botyard.program import NextEvent, Output, TurnIO, TurnOutcome, TurnRequest

MAX_ROUNDS = 50
"""Answers of the model in one turn; a model that wants more calls itself in circles."""
MAX_CALLS = 32
"""Tools that one answer may call."""
MAX_TOLD = 200
"""Messages of one turn that the Persona's loop is told of."""


class ModelFailed(Exception):
    """The model gave no answer.

    Attributes:
        code: Why, as docs/models.md lists it.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Model(Protocol):
    """Asks the Bot's model, as part of the turn that runs."""

    async def __call__(self, io: TurnIO, body: dict[str, Any]) -> dict[str, Any]:
        """Return a completion of the OpenAI protocol; pieces of its text are emitted on the way.

        Raises:
            ModelFailed: There is none.
        """


class ThreadTurns:
    """Runs the turns of threads."""

    def __init__(self, installation: Installation, tools: Sequence[CloudTool], model: Model) -> None:
        self._installation = installation
        self._tools = {tool.name: tool for tool in tools}
        self._model = model

    async def run(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        persona, thread = keys.parse(request.key)
        state = await ThreadState.read(request.state, io, thread=thread, persona=persona)
        turn = _Turn(request, io, loop, state)
        if (problem := self._take(turn)) is not None:
            return turn.outcome(ignored=problem)
        try:
            await self._go_on(turn)
        except ModelFailed as error:
            state.thread.ft_error = {"code": error.code, "message": str(error)}
            turn.say(Output(type="thread.error", status="error", data={"code": error.code, "message": str(error)}))
        return turn.outcome()

    def _take(self, turn: "_Turn") -> str | None:
        """Take what the event brings into the thread; return why it changes nothing, if so."""
        payload, state = turn.request.payload, turn.state
        action = str(payload.get("action") or "thread.message")
        if action == "thread.start":
            if state.began:
                return "the thread has begun already"
            state.begin(payload)
        if action in ("thread.start", "thread.message"):
            messages = payload.get("messages") or [{"role": "user", "content": payload.get("text", "")}]
            if not state.thread.ft_title:
                state.thread.ft_title = title_of(str(messages[-1].get("content") or ""))
            for message in messages:
                turn.add(
                    str(message.get("role", "user")), message.get("content"), author=str(payload.get("user") or "")
                )
            return None
        if action == "call.confirm":
            return state.answer_confirmation(payload)
        if action == "subchat.result":
            return state.take_subchat(payload)
        if action == "thread.archive":
            state.thread.ft_archived_ts = time.time()
            return None
        return f"there is no action {action!r}"

    async def _go_on(self, turn: "_Turn") -> None:
        """Alternate between tools and the model until something outside has to happen first."""
        state = turn.state
        state.thread.ft_error = None
        if state.thread.ft_archived_ts:
            return
        for _ in range(MAX_ROUNDS):
            if state.ready_calls():
                await self._call_tools(turn)
            if state.waiting or not state.wants_model():
                return
            answer = await self._model(turn.io, self._body(turn))
            self._take_answer(turn, answer)
        message = f"The model wanted tools {MAX_ROUNDS} times in one turn; it may be going in circles."
        raise ModelFailed(message, "too_many_rounds")

    def _body(self, turn: "_Turn") -> dict[str, Any]:
        expert = self._expert(turn.state.thread.ft_fexp_name)
        tools = [tool.openai_style_tool() for tool in self._tools.values() if expert.allows(tool.name)]
        body: dict[str, Any] = {"messages": as_model_messages(expert.fexp_system_prompt, turn.state.window)}
        return body | ({"tools": tools} if tools else {})

    def _expert(self, name: str) -> FMarketplaceExpertInput:
        return self._installation.experts.get(name) or self._installation.experts[DEFAULT]

    def _take_answer(self, turn: "_Turn", answer: Mapping[str, Any]) -> None:
        said, usage = answer["choices"][0]["message"], dict(answer.get("usage") or {})
        number = turn.state.next
        calls = [
            {
                "id": keys.call_id(turn.state.thread.ft_id, number, position),
                "type": "function",
                "function": {"name": call["function"]["name"], "arguments": call["function"].get("arguments") or "{}"},
            }
            for position, call in enumerate((said.get("tool_calls") or ())[:MAX_CALLS])
        ]
        model = str(answer.get("model") or "")
        turn.add("assistant", said.get("content"), calls=calls or None, usage=usage, model=model)
        turn.state.open_calls(calls)

    async def _call_tools(self, turn: "_Turn") -> None:
        """Make all calls that can be made now, at once; their results come in the order of the calls."""
        ready = turn.state.ready_calls()
        outcomes = await asyncio.gather(*(self._call(turn, call) for call in ready))
        for call, outcome in zip(ready, outcomes, strict=True):
            turn.caused += outcome.actions
            if outcome.kind == "result":
                content = content_of_result(outcome)
                turn.add("tool", content, call_id=call.fcall_id, provenance={"tool": call.fcall_name})
                turn.state.close_call(call.fcall_id)
            else:
                turn.state.wait(call, outcome)
                if outcome.kind == "confirmation":
                    data = {"call": call.fcall_id, "tool": call.fcall_name, "arguments": call.fcall_arguments}
                    turn.say(Output(type="thread.confirmation", data=data | outcome.confirmation))

    async def _call(self, turn: "_Turn", call: FCloudtoolCall) -> CallOutcome:
        answered = turn.state.rejection(call.fcall_id)
        if answered is not None:
            return CallOutcome(content=answered)
        asked = {"id": call.fcall_id, "arguments": call.fcall_arguments, "confirmed": call.confirmed_by_human}

        async def run(key: str) -> dict[str, Any]:
            call.fcall_untrusted_key = key
            expert = self._expert(turn.state.thread.ft_fexp_name)
            if call.fcall_name not in self._tools or not expert.allows(call.fcall_name):
                return no_handler(call.fcall_name).as_record()
            outcome = await turn.loop.deliver(Parked("call", (call,), key, call.fcall_name))
            assert isinstance(outcome, CallOutcome)
            return outcome.as_record()

        return CallOutcome(**await turn.io.step(f"tool:{call.fcall_name}", asked, run))


class _Turn:
    """One turn of a thread while it runs."""

    def __init__(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop, state: ThreadState) -> None:
        self.request = request
        self.io = io
        self.loop = loop
        self.state = state
        self.caused: list[dict[str, Any]] = []
        self._outputs: list[Output] = []
        self._added: list[FThreadMessageOutput] = []

    def say(self, output: Output) -> None:
        """Send something out with the commit."""
        self._outputs.append(output)

    def add(
        self,
        role: str,
        content: Any,
        *,
        calls: list[dict[str, Any]] | None = None,
        call_id: str = "",
        usage: dict[str, Any] | None = None,
        author: str = "",
        model: str = "",
        provenance: dict[str, Any] | None = None,
    ) -> None:
        """Append a message to the thread."""
        message = FThreadMessageOutput(
            ftm_ft_id=self.state.thread.ft_id,
            ftm_num=self.state.next,
            ftm_role=role,
            ftm_content=content,
            ftm_tool_calls=calls,
            ftm_call_id=call_id,
            ftm_usage=usage,
            ftm_provenance=(provenance or {}) | ({"model": model} if model else {}),
            ftm_created_ts=time.time(),
            ftm_author_label1=author,
        )
        self.state.append(message)
        self._added.append(message)
        self.say(Output(type="thread.message", agent=self.loop.persona.persona_name, data=_shown(message)))

    def outcome(self, ignored: str = "") -> TurnOutcome:
        """Return what the turn commits."""
        if ignored:
            said = Output(type="thread.ignored", status="error", data={"message": ignored})
            return TurnOutcome(state=self.request.state, outputs=(said,))
        state, persona = self.state, self.loop.persona.persona_id
        state.thread.ft_updated_ts = time.time()
        state.settle()
        told = {
            "action": "thread.updated",
            "thread": state.thread.as_record(),
            "messages": [message.as_record() for message in self._added[-MAX_TOLD:]],
        }
        events = [NextEvent(kind="action", key=action["key"], payload=action["payload"]) for action in self.caused]
        if (result := state.subchat_result()) is not None:
            key = keys.thread_key(persona, state.thread.ft_subchat_dest_ft_id)
            events.append(NextEvent(kind="action", key=key, payload=result))
        events.append(NextEvent(kind="action", key=keys.persona_key(persona), payload=told))
        return TurnOutcome(
            state=state.document(), records=state.records(), outputs=tuple(self._outputs), events=tuple(events)
        )


def _shown(message: FThreadMessageOutput) -> dict[str, Any]:
    return {
        "num": message.ftm_num,
        "role": message.ftm_role,
        "content": message.ftm_content,
        "tool_calls": message.ftm_tool_calls,
        "call_id": message.ftm_call_id,
        "usage": message.ftm_usage,
    }
