"""What a thread keeps between its turns: its fields, the newest messages, and the calls that are not answered.

Messages are records `m/<number>`; the state itself stays small however long the thread grows.
"""

import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from botyard.loop import keys
from botyard.loop.calls import CallOutcome
from botyard.loop.install import DEFAULT
from botyard.loop.threads import MAX_SEARCHABLE, NEEDED, NOT_NEEDED, FThreadMessageOutput, FThreadOutput
from botyard.loop.tools import FCloudtoolCall
from botyard.program import TurnIO

MESSAGE = "m/"
WINDOW = 200
"""Messages that the model is sent at most."""
LONG = 60
"""Messages with which a thread is long: older ones are summed up then."""
KEPT = 20
"""Messages that stay as they are when older ones are summed up, as far as they are not too long."""
MAX_CONTENT = 1_000_000
"""Characters of one message."""


TitledBy = Literal["rule", "model", "person"]


class FinishedCall(NamedTuple):
    """A call whose subchats have brought its result."""

    call: str
    tool: str
    result: str
    subchats: tuple[str, ...]


class ThreadState:
    """The state of one thread, changed by a turn."""

    def __init__(self, document: Mapping[str, Any] | None, *, thread: str, persona: str) -> None:
        kept = document or {}
        self.began = document is not None
        self.thread = FThreadOutput.from_record(
            kept.get("thread") or {"ft_id": thread, "ft_persona_id": persona, "ft_created_ts": time.time()}
        )
        self.next = int(kept.get("next", 1))
        """Number of the next message."""
        self.waiting: dict[str, dict[str, Any]] = dict(kept.get("waiting") or {})
        """Calls that need something from outside, by id."""
        self.titled_by: TitledBy = kept.get("titled_by") or "rule"
        """Who gave the thread its title, or will."""
        self.summary = str(kept.get("summary") or "")
        """What was said before the first message that the model is sent."""
        self._summed = int(kept.get("summed", 0))
        """Number of the last message that the summary covers."""
        self.result: str | None = None
        """What a kernel says is this subchat's result."""
        self.began_waiting: list[str] = []
        """Calls that began to wait for subchats in this turn."""
        self.finished: list[FinishedCall] = []
        """Calls whose subchats have all ended; their results are no messages of the thread yet."""
        self._open: dict[str, dict[str, Any]] = dict(kept.get("open") or {})
        """Calls that can be made, by id: of a turn that failed, or of a confirmation that was given."""
        self.window: list[FThreadMessageOutput] = []
        self._added: list[FThreadMessageOutput] = []

    @classmethod
    async def read(cls, document: Mapping[str, Any] | None, io: TurnIO, *, thread: str, persona: str) -> "ThreadState":
        """Return the state with the messages that the model is sent."""
        state = cls(document, thread=thread, persona=persona)
        if state.next > 1:
            found = await io.read_records(
                prefix=MESSAGE, limit=min(WINDOW, state.next - 1 - state._summed) or 1, newest_first=True
            )
            messages = (FThreadMessageOutput.from_record(record) for record in found.values())
            recent = [message for message in messages if message.ftm_num > state._summed]
            state.window = sorted(recent, key=lambda message: message.ftm_num)
            state._trim()
        return state

    def _trim(self) -> None:
        """Let the window begin where a model understands it: not in the midst of calls and their results."""
        del self.window[:-WINDOW]
        while self.window and self.window[0].ftm_role == "tool":
            del self.window[0]

    def begin(self, payload: Mapping[str, Any]) -> None:
        """Set what a thread is begun with; a message to a thread that there is not begins it, too."""
        thread = self.thread
        thread.ft_title = str(payload.get("title") or "")
        if thread.ft_title:
            self.titled_by = "person"
        thread.ft_fexp_name = str(payload.get("expert") or DEFAULT)
        thread.ft_task_id = str(payload.get("task") or "")
        thread.ft_budget = int(payload.get("budget") or 0)
        thread.owner_fuser_id = str(payload.get("owner") or payload.get("user") or "")
        if isinstance(parent := payload.get("parent"), Mapping):
            thread.ft_subchat_dest_ft_id = str(parent["thread"])
            thread.ft_subchat_dest_fcall_id = str(parent["call"])

    def append(self, message: FThreadMessageOutput) -> None:
        """Add the next message."""
        if isinstance(message.ftm_content, str) and len(message.ftm_content) > MAX_CONTENT:
            message.ftm_content = message.ftm_content[:MAX_CONTENT] + "\n… cut"
        self.next = message.ftm_num + 1
        self.window.append(message)
        self._added.append(message)
        self._trim()

    def wants_model(self) -> bool:
        """Tell whether it is the model's turn."""
        return bool(self.window) and self.window[-1].ftm_role != "assistant"

    # Calls.

    def open_calls(self, calls: list[dict[str, Any]]) -> None:
        """Note the calls of an answer."""
        for call in calls:
            self._open[call["id"]] = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}

    def ready_calls(self) -> list[FCloudtoolCall]:
        """Return the calls that can be made now, in their order."""
        return [
            FCloudtoolCall(
                fcall_id=call_id,
                fcall_ft_id=self.thread.ft_id,
                fcall_name=call["name"],
                fcall_arguments=call["arguments"],
                connected_persona_id=self.thread.ft_persona_id,
                confirmed_by_human=bool(call.get("confirmed")),
                fcall_called_ftm_num=message,
                fcall_call_n=position,
                fcall_created_ts=time.time(),
                caller_fuser_id=self.thread.owner_fuser_id,
                ws_id=self.thread.ws_id,
                located_fgroup_id=self.thread.ws_id,
            )
            for call_id, call in self._open.items()
            for message, position in (keys.place_of_call(call_id),)
        ]

    def close_call(self, call_id: str) -> None:
        """The call has its result."""
        self._open.pop(call_id, None)

    def rejection(self, call_id: str) -> str | None:
        """Return what the model is told of a call that a person rejected; None for any other call."""
        reason = self._open.get(call_id, {}).get("rejected")
        if reason is None:
            return None
        return "A person rejected this call." + (f" Reason: {reason}" if reason else "")

    def wait(self, call: FCloudtoolCall, outcome: CallOutcome) -> None:
        """The call's result comes from outside."""
        kept = self._open.pop(call.fcall_id)
        if outcome.kind == "subchats":
            self.began_waiting.append(call.fcall_id)
            self.waiting[call.fcall_id] = kept | {"subchats": dict.fromkeys(outcome.subchats)}
        else:
            self.waiting[call.fcall_id] = kept | {"confirmation": outcome.confirmation}

    def answer_confirmation(self, payload: Mapping[str, Any]) -> str | None:
        """Take a person's decision on calls; return why it changes nothing, if so."""
        decided = payload.get("calls") or [payload]
        known = [answer for answer in decided if "confirmation" in self.waiting.get(str(answer.get("call")), {})]
        if not known:
            names = ", ".join(str(answer.get("call")) for answer in decided)
            return f"no call waits for this confirmation any more: {names}"
        for answer in known:
            kept = self.waiting.pop(str(answer["call"]), None)
            if kept is None:
                # The same call twice: the first decision counts.
                continue
            del kept["confirmation"]
            allowed = answer.get("allow") is True
            decision = {"confirmed": True} if allowed else {"rejected": str(answer.get("reason") or "")}
            self._open[str(answer["call"])] = kept | decision
        return None

    def take_subchat(self, payload: Mapping[str, Any]) -> str | None:
        """Take the result of a subchat; return why it changes nothing, if so."""
        call_id, subchat = str(payload.get("call")), str(payload.get("subchat"))
        results = self.waiting.get(call_id, {}).get("subchats")
        if results is None or results.get(subchat, "") is not None:
            return f"no call waits for the result of {subchat}"
        results[subchat] = str(payload.get("content") or "")
        self._finish_subchats(call_id, results)
        return None

    def give_up_subchats(self, payload: Mapping[str, Any]) -> str | None:
        """Wait no longer for the subchats of a call; return why it changes nothing, if so."""
        call_id = str(payload.get("call"))
        results = self.waiting.get(call_id, {}).get("subchats")
        if results is None:
            return f"call {call_id} waits for no subchat any more"
        for subchat, result in results.items():
            if result is None:
                results[subchat] = str(payload.get("content") or "The subchat did not end in time.")
        self._finish_subchats(call_id, results)
        return None

    def _finish_subchats(self, call_id: str, results: Mapping[str, str | None]) -> None:
        if all(result is not None for result in results.values()):
            kept = self.waiting.pop(call_id)
            text = (
                str(next(iter(results.values())))
                if len(results) == 1
                else "\n\n".join(f"[{name}]\n{result}" for name, result in results.items())
            )
            self.finished.append(FinishedCall(call_id, kept["name"], text, tuple(results)))

    # What is committed.

    def summed_up(self, old: int, summary: str) -> None:
        """Take a summary in place of the window's first `old` messages."""
        self.summary, self._summed = summary, self.window[old - 1].ftm_num
        del self.window[:old]

    def settle(self) -> None:
        """Say what the thread waits for."""
        thread = self.thread
        failed = thread.ft_error is not None
        thread.ft_confirmations = [
            {"call": call, "tool": kept["name"], "arguments": kept["arguments"], **kept["confirmation"]}
            for call, kept in self.waiting.items()
            if "confirmation" in kept
        ]
        for message in self._added:
            room = MAX_SEARCHABLE - len(thread.ft_app_searchable)
            if room > 0 and message.ftm_role in ("user", "assistant") and isinstance(message.ftm_content, str):
                thread.ft_app_searchable += f"{message.ftm_content[:room]}\n"
        thread.ft_need_tool_calls = NEEDED if self.waiting else NOT_NEEDED
        thread.ft_need_assistant = NEEDED if failed and self.wants_model() else NOT_NEEDED
        thread.ft_need_user = NOT_NEEDED if self.waiting or failed else NEEDED

    def subchat_result(self) -> dict[str, Any] | None:
        """Return the event that brings this subchat's result to the thread that waits for it; None if there is none."""
        thread = self.thread
        if not thread.ft_subchat_dest_ft_id or self.waiting or not self._added:
            return None
        if thread.ft_error is not None:
            content = f"The subchat failed: {thread.ft_error['message']}"
        elif self.result is not None:
            content = self.result
        else:
            content = str(self.window[-1].ftm_content or "")
        return {
            "action": "subchat.result",
            "call": thread.ft_subchat_dest_fcall_id,
            "subchat": thread.ft_id,
            "content": content,
        }

    def document(self) -> dict[str, Any]:
        """Return the state to keep."""
        return {
            "thread": self.thread.as_record(),
            "next": self.next,
            "waiting": self.waiting,
            "open": self._open,
            **({"titled_by": self.titled_by} if self.titled_by != "rule" else {}),
            **({"summary": self.summary, "summed": self._summed} if self._summed else {}),
        }

    def records(self) -> dict[str, Any]:
        """Return the messages that this turn added, as records."""
        return {f"{MESSAGE}{message.ftm_num:08d}": message.as_record() for message in self._added}
