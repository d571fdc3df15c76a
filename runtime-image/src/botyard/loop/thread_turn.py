"""One turn of a thread while it runs: what it adds, says and causes, and what it commits."""

import time
from typing import Any

from botyard.loop import keys
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.thread_state import ThreadState
from botyard.loop.threads import FThreadMessageOutput
from botyard.program import NextEvent, Output, TurnIO, TurnOutcome, TurnRequest

MAX_TOLD = 200
"""Messages of one turn that the Persona's loop is told of."""
SUBCHAT_SECONDS = 3600.0
"""A call waits no longer for its subchats."""


class Silent:
    """A turn's platform for a call of the model whose words are for nobody."""

    def __init__(self, io: TurnIO) -> None:
        self._io = io

    def __getattr__(self, name: str) -> Any:
        return getattr(self._io, name)

    async def emit(self, output: Output) -> None:
        """Say nothing."""


class ThreadTurn:
    """One turn of a thread while it runs."""

    def __init__(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop, state: ThreadState) -> None:
        self.request = request
        self.io = io
        self.loop = loop
        self.state = state
        self.caused: list[dict[str, Any]] = []
        self.later: list[str] = []
        """Instructions of a kernel that come behind the results of the calls that are open."""
        self._outputs: list[Output] = []
        self._added: list[FThreadMessageOutput] = []

    @property
    def budget(self) -> int:
        """Coins that the thread may cost; 0: nothing is declared."""
        persona = self.request.persona
        return self.state.thread.ft_budget or (persona.budget.per_thread if persona else 0)

    @property
    def now(self) -> float:
        """Seconds since the epoch, by Redis's clock, which timers go by."""
        return self.request.now_ms / 1000 if self.request.now_ms else time.time()

    def say(self, output: Output) -> None:
        """Send something out with the commit."""
        self._outputs.append(output)

    def next(self, action: str) -> None:
        """Cause an event of this thread with the commit."""
        self.caused.append(
            {
                "key": keys.thread_key(self.loop.persona.persona_id, self.state.thread.ft_id),
                "payload": {"action": action},
            }
        )

    def entitle(self, title: str) -> None:
        """Give the thread a title."""
        self.state.thread.ft_title = title
        self.say(Output(type="thread.title", data={"title": title}))

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
            ftm_created_ts=self.now,
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
        state.thread.ft_updated_ts = self.now
        state.settle()
        told = {
            "action": "thread.updated",
            "thread": state.thread.as_record() | {"ft_budget": self.budget},
            "messages": [message.as_record() for message in self._added[-MAX_TOLD:]],
        }
        events = [
            NextEvent(kind="action", key=action["key"], payload=self._owned(action["payload"]))
            for action in self.caused
        ]
        due = int((self.now + SUBCHAT_SECONDS) * 1000)
        events += [
            NextEvent(payload={"action": "subchat.timeout", "call": call}, due_ms=due) for call in state.began_waiting
        ]
        if (result := state.subchat_result()) is not None:
            key = keys.thread_key(persona, state.thread.ft_subchat_dest_ft_id)
            events.append(NextEvent(kind="action", key=key, payload=result))
        events.append(NextEvent(kind="action", key=keys.persona_key(persona), payload=told))
        return TurnOutcome(
            state=state.document(), records=state.records(), outputs=tuple(self._outputs), events=tuple(events)
        )

    def _owned(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the payload of an action; the thread's subchats belong to whom the thread belongs to."""
        if payload.get("action") == "thread.start" and "parent" in payload:
            return payload | {"owner": self.state.thread.owner_fuser_id}
        return payload


def _shown(message: FThreadMessageOutput) -> dict[str, Any]:
    return {
        "num": message.ftm_num,
        "role": message.ftm_role,
        "content": message.ftm_content,
        "tool_calls": message.ftm_tool_calls,
        "call_id": message.ftm_call_id,
        "usage": message.ftm_usage,
    }
