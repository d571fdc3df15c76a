"""What a loop bot's code may do on the platform: tasks, threads, messages.

Called from a handler these are part of its event's turn: they happen with its commit, once. Called between events
they happen at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.loop import effects, keys
from botyard.loop.install import DEFAULT
from botyard.loop.tasks import Column


async def create_task(
    persona: str,
    title: str,
    details: Mapping[str, Any] | None = None,
    *,
    column: Column = "inbox",
    budget: int = 0,
    expert: str = "",
) -> str:
    """Put a task on a Persona's board and return its id.

    Args:
        persona: Whose board.
        title: At most 200 characters.
        details: JSON-able.
        column: Where it begins.
        budget: Coins that it may cost; 0: the Persona's default.
        expert: Who works on it; empty: the default one.
    """
    task = effects.new_id("task_")
    payload: dict[str, Any] = {"action": "task.create", "id": task, "column": column, "ktask_title": title}
    payload |= {"ktask_details": dict(details or {}), "ktask_budget": budget, "ktask_fexp_name": expert}
    await effects.cause(keys.persona_key(persona), payload | {"by": _author(persona)})
    return task


async def move_task(persona: str, task: str, column: Column, *, summary: str = "") -> None:
    """Move a task to another column; what the board does not allow is told as `task.refused`."""
    payload: dict[str, Any] = {"action": "task.move", "id": task, "column": column}
    payload |= {"ktask_resolution_summary": summary} if summary else {}
    await effects.cause(keys.persona_key(persona), payload | {"by": _author(persona)})


async def update_task(persona: str, task: str, details: Mapping[str, Any]) -> None:
    """Set a task's details."""
    payload = {"action": "task.update", "id": task, "ktask_details": dict(details), "by": _author(persona)}
    await effects.cause(keys.persona_key(persona), payload)


def _author(persona: str) -> dict[str, str]:
    """Return who asks: whose handler runs; between events the Persona whose loop it is."""
    handling = effects.current()
    return dict(handling.by) if handling is not None and handling.by else {"persona": persona}


async def start_thread(
    persona: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    expert: str = DEFAULT,
    title: str = "",
    task: str = "",
    parent: tuple[str, str] | None = None,
    calls: Sequence[tuple[str, str]] = (),
) -> str:
    """Begin a thread and return its id.

    Args:
        persona: Whose thread.
        messages: `{role, content}`, in order.
        expert: Who answers.
        title: Empty: the first line of the last message.
        task: The task that it works on; empty: none.
        parent: Thread and call whose result this one's last answer is; None: nobody waits for it.
        calls: Tools that are called before the model is asked: names, and arguments as JSON.
    """
    thread = effects.new_id("thread_")
    payload: dict[str, Any] = {
        "action": "thread.start",
        "messages": [dict(message) for message in messages],
        "expert": expert,
        "title": title,
        "task": task,
    }
    if calls:
        payload["calls"] = [{"name": name, "arguments": arguments} for name, arguments in calls]
    if parent is not None:
        payload["parent"] = {"thread": parent[0], "call": parent[1]}
    await effects.cause(keys.thread_key(persona, thread), payload)
    return thread


async def say_in_thread(persona: str, thread: str, messages: Sequence[Mapping[str, Any]]) -> None:
    """Add messages `{role, content}` to a thread; the model answers the last of them."""
    payload = {"action": "thread.message", "messages": [dict(message) for message in messages]}
    await effects.cause(keys.thread_key(persona, thread), payload)
