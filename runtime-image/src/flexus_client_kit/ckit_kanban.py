"""The board of a Persona. The first argument of each function, a client or a connection, is not used."""

import json
from collections.abc import Generator, Mapping
from typing import Any

from botyard.loop import platform
from botyard.loop.context import current
from botyard.loop.tasks import FPersonaKanbanTaskOutput

__all__ = [
    "FPersonaKanbanTaskOutput",
    "bot_get_all_tasks",
    "bot_kanban_post_into_inbox",
    "bot_kanban_post_into_inprogress",
    "bot_kanban_update_details",
    "get_tasks_by_thread",
]

_DETAILS = ("details_json", "ktask_details", "details")


async def bot_kanban_post_into_inbox(
    client: Any,
    persona_id: str,
    title: str,
    details_json: str | Mapping[str, Any],
    provenance_message: str = "",
    **more: Any,
) -> str:
    """Put a task into a Persona's inbox and return its id."""
    expert = str(more.get("fexp_name") or "")
    return await platform.create_task(persona_id, title, _details(details_json, provenance_message), expert=expert)


async def bot_kanban_post_into_inprogress(
    client: Any,
    persona_id: str,
    title: str,
    details_json: str | Mapping[str, Any],
    provenance_message: str = "",
    **more: Any,
) -> str:
    """Put a task among those that are worked on and return its id; too many are refused (`task.refused`)."""
    details, expert = _details(details_json, provenance_message), str(more.get("fexp_name") or "")
    return await platform.create_task(persona_id, title, details, column="inprogress", expert=expert)


async def bot_kanban_update_details(client: Any, *given: Any, **named: Any) -> None:
    """Set a task's details.

    Args:
        client: Not used.
        given: `(persona_id, ktask_id, details)`, or without the Persona: its own board's task is meant.
        named: The same by name; details as `details_json`, `ktask_details` or `details`.

    Raises:
        TypeError: The task or its details are not said.
    """
    *before, details = [*given, *(named[name] for name in _DETAILS if name in named)] or [None]
    task = str(named.get("ktask_id") or (before[-1] if before else ""))
    if not task or not isinstance(details, str | Mapping):
        raise TypeError("bot_kanban_update_details needs a ktask_id, and details as data or JSON")
    persona = named.get("persona_id") or (before[0] if before and before[0] != task else "")
    await platform.update_task(str(persona) or current().persona.persona_id, task, _details(details, ""))


async def bot_get_all_tasks(client: Any, persona_id: str = "", **more: Any) -> list[FPersonaKanbanTaskOutput]:
    """Return the tasks of the asking Persona's board; a bot sees those that its loop has been told of.

    Raises:
        RuntimeError: The code runs in no Persona's loop.
        ValueError: It asks for another Persona's.
    """
    rcx = current()
    if persona_id not in ("", rcx.persona.persona_id):
        raise ValueError(f"a bot sees its own board, not that of {persona_id}")
    return sorted(rcx.latest_tasks.values(), key=lambda task: task.ktask_inbox_ts)


class FoundTasks(list[FPersonaKanbanTaskOutput]):
    """Tasks, also for bots that await them: whether that is needed has changed over the time."""

    def __await__(self) -> Generator[Any, None, "FoundTasks"]:
        return self
        yield


def get_tasks_by_thread(whose: Any, ft_id: str, **more: Any) -> FoundTasks:
    """Return the tasks that a thread works on.

    Args:
        whose: A context, or tasks by id; anything else (a client) means the asking Persona.
        ft_id: The thread.
        more: Other options of the existing system; not used.
    """
    tasks = whose if isinstance(whose, Mapping) else getattr(whose, "latest_tasks", None)
    tasks = current().latest_tasks if tasks is None else tasks
    return FoundTasks(task for task in tasks.values() if task.ktask_inprogress_ft_id == ft_id)


def _details(given: str | Mapping[str, Any], provenance: str) -> dict[str, Any]:
    """Return details as data; a text that is no JSON object is their description.

    Args:
        given: Data, or JSON text.
        provenance: Where the task comes from; empty: not kept.
    """
    details: dict[str, Any]
    if isinstance(given, Mapping):
        details = dict(given)
    else:
        try:
            parsed = json.loads(given) if given else {}
        except ValueError:
            parsed = None
        details = parsed if isinstance(parsed, dict) else {"description": given}
    return details | ({"provenance": provenance} if provenance else {})
