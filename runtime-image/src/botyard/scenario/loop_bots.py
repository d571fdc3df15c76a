"""What happens to a loop bot in a scenario, and what it did, in the words of scenarios.

A scenario speaks of answers, calls of tools, confirmations and tasks; the bot's outputs are messages of threads and
changes of a board.
"""

import json
from collections.abc import Mapping
from typing import Any

from botyard.loop import keys
from botyard.loop.tasks import COLUMNS, FPersonaKanbanTaskOutput
from botyard.program import NextEvent, Output
from botyard.scenario.document import Step
from botyard.scenario.host import Host, Impossible

ANSWER = "thread.message"
CONFIRMATION = "thread.confirmation"
TOOL = "thread.tool"
"""A call of a tool with its result, as scenarios see it."""
_NOT_SHOWN = ("thread.delta", "thread.title", "turn.restarted")


class LoopBot:
    """One Persona of a loop bot: turns steps into events, and outputs into what scenarios compare."""

    def __init__(self, persona: str, user: str) -> None:
        self._persona = persona
        self._user = user
        self._begun: set[str] = set()
        self._calls: dict[str, tuple[str, Any]] = {}
        self._open: dict[str, tuple[str, str]] = {}
        """Calls that wait for a person: thread and tool by id."""
        self._tasks: dict[str, str] = {}
        """Titles of the tasks that were seen, by id."""

    def event(self, step: Step, given: Any) -> NextEvent:
        """Return the event that a step is.

        Args:
            step: One of those that only loop bots know, or `say`.
            given: The step's content, with values filled in.

        Raises:
            Impossible: There is nothing that it could be about.
        """
        match step.action:
            case "say":
                return self._say(step, str(given))
            case "confirm":
                return self._confirm(step)
            case "task":
                return self._task(given)
            case "move":
                return self._move(given)
        payload = dict(given)
        thread = payload.pop("thread", "")
        key = keys.thread_key(self._persona, thread) if thread else keys.persona_key(self._persona)
        return NextEvent(kind="action", key=key, payload=payload)

    def allowed(self, outputs: list[tuple[str, Output]]) -> NextEvent | None:
        """Return the event by which a person allows the calls that began to wait for it; None: none did."""
        asked = [(key, output.data["call"]) for key, output in outputs if output.type == CONFIRMATION]
        if not asked:
            return None
        where = asked[0][0]
        calls = [{"call": call, "allow": True} for key, call in asked if key == where]
        return NextEvent(kind="action", key=where, payload={"action": "call.confirm", "calls": calls, "by": self._user})

    def key(self, thread: str) -> str:
        """Return the key of one of the Persona's threads."""
        return keys.thread_key(self._persona, thread)

    def seen(self, outputs: list[tuple[str, Output]]) -> list[Output]:
        """Return what a scenario compares of what the bot sent out."""
        return [shown for key, output in outputs if (shown := self._shown(key, output)) is not None]

    def board(self, host: Host) -> dict[str, list[str]]:
        """Return the titles of the Persona's tasks, by column."""
        kept = host.records.get(keys.persona_key(self._persona), {})
        tasks = [FPersonaKanbanTaskOutput.from_record(data) for name, data in kept.items() if name.startswith("task/")]
        found: dict[str, list[str]] = {column: [] for column in COLUMNS}
        for task in sorted(tasks, key=lambda task: task.ktask_inbox_ts):
            found[task.calc_bucket()].append(task.ktask_title)
        return found

    def _say(self, step: Step, text: str) -> NextEvent:
        key = keys.thread_key(self._persona, step.thread)
        begins = step.thread not in self._begun
        self._begun.add(step.thread)
        if begins and step.expert:
            message = {"role": "user", "content": text}
            payload = {"action": "thread.start", "messages": [message], "expert": step.expert, "user": self._user}
            return NextEvent(kind="action", key=key, payload=payload)
        return NextEvent(kind="message", key=key, payload={"text": text, "user": self._user})

    def _confirm(self, step: Step) -> NextEvent:
        assert step.confirm is not None
        wanted = step.confirm
        chosen = {call: at for call, at in self._open.items() if wanted.tool in ("", at[1])}
        if not chosen:
            waiting = ", ".join(sorted({tool for _, tool in self._open.values()})) or "none"
            raise Impossible(f"no call of {wanted.tool or 'a tool'} waits for a confirmation; waiting are: {waiting}")
        thread = next(iter(chosen.values()))[0]
        calls = [
            {"call": call, "allow": wanted.allow, "reason": wanted.reason}
            for call, (where, _) in chosen.items()
            if where == thread
        ]
        for each in calls:
            del self._open[str(each["call"])]
        payload = {"action": "call.confirm", "calls": calls, "by": self._user}
        return NextEvent(kind="action", key=keys.thread_key(self._persona, thread), payload=payload)

    def _task(self, given: Mapping[str, Any] | str) -> NextEvent:
        task: dict[str, Any] = {"title": given} if isinstance(given, str) else dict(given)
        task_id = str(task.get("id") or f"task{len(self._tasks) + 1}")
        payload = {
            "action": "task.create",
            "id": task_id,
            "column": str(task.get("column", "inbox")),
            "ktask_title": str(task.get("title", "")),
            "ktask_details": dict(task.get("details") or {}),
            "ktask_fexp_name": str(task.get("expert", "")),
        }
        return NextEvent(kind="action", key=keys.persona_key(self._persona), payload=payload)

    def _move(self, given: Mapping[str, str]) -> NextEvent:
        wanted = given["task"]
        task_id = next((name for name, title in self._tasks.items() if wanted in (name, title)), None)
        if task_id is None:
            known = ", ".join(self._tasks.values()) or "none"
            raise Impossible(f"there is no task {wanted!r}; there are: {known}")
        payload = {"action": "task.move", "id": task_id, "column": given["to"]}
        return NextEvent(kind="action", key=keys.persona_key(self._persona), payload=payload)

    def _shown(self, key: str, output: Output) -> Output | None:
        _, thread = keys.parse(key)
        data = output.data
        if output.type in _NOT_SHOWN:
            return None
        if output.type == "thread.message":
            return self._message(output, thread)
        if output.type == CONFIRMATION:
            self._open[str(data["call"])] = (thread, str(data["tool"]))
            seen = {"text": data.get("explanation", ""), "arguments": _parsed(data.get("arguments"))}
            return output.model_copy(update={"data": {**data, **seen, "thread": thread}})
        if output.type == "task.updated":
            self._tasks[data["task"]["ktask_id"]] = data["task"]["ktask_title"]
            return output.model_copy(update={"data": {**data, "text": data["task"]["ktask_title"]}})
        return output.model_copy(update={"data": {"text": data.get("message", ""), **data}})

    def _message(self, output: Output, thread: str) -> Output | None:
        data = output.data
        for call in data.get("tool_calls") or ():
            self._calls[call["id"]] = (call["function"]["name"], _parsed(call["function"]["arguments"]))
        if data["role"] == "tool":
            tool, arguments = self._calls.get(str(data.get("call_id")), ("", None))
            seen = {"tool": tool, "arguments": arguments, "text": text_of(data.get("content")), "thread": thread}
            return output.model_copy(update={"type": TOOL, "data": seen})
        text = text_of(data.get("content"))
        if data["role"] != "assistant" or not text:
            return None
        return output.model_copy(update={"data": {"role": data["role"], "text": text, "thread": thread}})


def text_of(content: Any) -> str:
    """Return the text of a message's content; parts that are none are named by their kind."""
    if isinstance(content, list):
        parts = (
            part.get("m_content") if part.get("m_type") == "text" else f"[{part.get('m_type')}]" for part in content
        )
        return "\n".join(str(part) for part in parts)
    return "" if content is None else str(content)


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments)
    except (TypeError, ValueError):
        return arguments
