"""Who did what to a task, and when: kept with the task. Pure.

An entry is `{at, action, column, by, changed}`: seconds since the epoch; INSERT or UPDATE; where the task was from then
on; `{user}`, `{persona, thread}` or `{schedule}`, as far as they are known; names of the fields that were changed
beside the column.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from botyard.loop.board import Change
from botyard.loop.tasks import FPersonaKanbanTaskOutput

KEPT = 50
"""Entries of a task: the first one, and the newest others."""
MAX_NAME = 200
"""Characters of who did it."""
ACTORS = ("user", "persona", "thread", "schedule")
_TIMES = ("ktask_inbox_ts", "ktask_todo_ts", "ktask_inprogress_ts", "ktask_inprogress_activity_ts", "ktask_done_ts")


def note(change: Change, by: Mapping[str, Any], now: float) -> None:
    """Write a change into the history of its task.

    Args:
        change: What was done; one that changes nothing is not noted, nor the end of a task.
        by: Who did it, by `ACTORS`; other keys are left out.
        now: Seconds since the epoch.
    """
    old, new = change.old, change.new
    if new is None or old == new:
        return
    entry = {
        "at": now,
        "action": change.action,
        "column": new.calc_bucket(),
        "by": {name: str(by[name])[:MAX_NAME] for name in ACTORS if by.get(name)},
        "changed": [] if old is None else _changed(old, new),
    }
    history = [*(old.ktask_history if old is not None else ()), entry]
    new.ktask_history = history if len(history) <= KEPT else [history[0], *history[-KEPT + 1 :]]


def _changed(old: FPersonaKanbanTaskOutput, new: FPersonaKanbanTaskOutput) -> list[str]:
    return [
        item.name
        for item in fields(new)
        if item.compare and item.name not in _TIMES and getattr(old, item.name) != getattr(new, item.name)
    ]
