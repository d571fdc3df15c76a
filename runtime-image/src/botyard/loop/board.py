"""The rules of a kanban board: where a task may go, and how many are worked on at once.

Pure: a move gives new tasks and says what changed; keeping them and telling anybody is done elsewhere.

    inbox → todo → inprogress → done        a task may skip columns, go back, and be done from anywhere
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from botyard.loop.tasks import COLUMNS, Column, FPersonaKanbanTaskOutput

MAX_TITLE = 200
"""Characters."""
MAX_DETAILS = 64 * 1024
"""Characters of a task's details as JSON."""
MAX_OPEN = 1000
"""Tasks of a Persona that are not done."""


class BoardError(ValueError):
    """The board does not allow it.

    Attributes:
        code: `UnknownTask`, `UnknownColumn`, `LimitReached`, `TooLarge` or `BoardFull`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Change:
    """What happened to a task: INSERT (no `old`), UPDATE, or DELETE (no `new`)."""

    action: str
    old: FPersonaKanbanTaskOutput | None
    new: FPersonaKanbanTaskOutput | None


def counts(tasks: Iterable[FPersonaKanbanTaskOutput]) -> dict[Column, int]:
    """Return how many tasks are in each column."""
    found: dict[Column, int] = dict.fromkeys(COLUMNS, 0)
    for task in tasks:
        found[task.calc_bucket()] += 1
    return found


def create(
    tasks: Mapping[str, FPersonaKanbanTaskOutput],
    task: FPersonaKanbanTaskOutput,
    *,
    column: Column,
    now: float,
    limit: int,
    open_tasks: int,
) -> Change:
    """Return the INSERT of a task into `column`, or, if a task of its id exists, an UPDATE that changes nothing.

    Args:
        tasks: The task of that id, if there is one, and those in progress, by id.
        task: The new task; its times are set here.
        column: Where it begins.
        now: Seconds since the epoch.
        limit: How many may be in progress.
        open_tasks: How many are not done.

    Raises:
        BoardError: It is too large, the board is full, or the limit is reached.
    """
    if (known := tasks.get(task.ktask_id)) is not None:
        return Change("UPDATE", known, known)
    if len(task.ktask_title) > MAX_TITLE:
        raise BoardError("TooLarge", f"The title has {len(task.ktask_title)} characters; {MAX_TITLE} are allowed.")
    _check_details(task)
    if open_tasks >= MAX_OPEN:
        raise BoardError("BoardFull", f"{MAX_OPEN} tasks are open; finish or remove some.")
    return Change("INSERT", None, _placed(tasks, replace(task, ktask_inbox_ts=now), column, now, limit))


def move(
    tasks: Mapping[str, FPersonaKanbanTaskOutput],
    task_id: str,
    column: str,
    *,
    now: float,
    limit: int,
    **changes: Any,
) -> Change:
    """Return the UPDATE that a move is; a move to where the task is changes nothing but `changes`.

    Args:
        tasks: That task and those in progress, by id.
        task_id: Which task.
        column: Where to.
        now: Seconds since the epoch.
        limit: How many may be in progress.
        changes: Other fields of the task to set.

    Raises:
        BoardError: There is no such task or column, or too many are in progress already.
    """
    old = _known(tasks, task_id)
    if column not in COLUMNS:
        raise BoardError("UnknownColumn", f"There is no column {column!r}; columns are {', '.join(COLUMNS)}.")
    changed = replace(old, **changes)
    return Change(
        "UPDATE", old, changed if old.calc_bucket() == column else _placed(tasks, changed, column, now, limit)
    )


def update(tasks: Mapping[str, FPersonaKanbanTaskOutput], task_id: str, **changes: Any) -> Change:
    """Return the UPDATE of other fields of a task.

    Raises:
        BoardError: There is no such task, or it becomes too large.
    """
    old = _known(tasks, task_id)
    new = replace(old, **changes)
    _check_details(new)
    return Change("UPDATE", old, new)


def remove(tasks: Mapping[str, FPersonaKanbanTaskOutput], task_id: str) -> Change:
    """Return the DELETE of a task.

    Raises:
        BoardError: There is no such task.
    """
    return Change("DELETE", _known(tasks, task_id), None)


def next_todo(tasks: Iterable[FPersonaKanbanTaskOutput]) -> FPersonaKanbanTaskOutput | None:
    """Return the task that has been in `todo` the longest, or None."""
    waiting = [task for task in tasks if task.calc_bucket() == "todo"]
    return min(waiting, key=lambda task: (task.ktask_todo_ts, task.ktask_id), default=None)


def oldest_of_inbox(tasks: Iterable[FPersonaKanbanTaskOutput]) -> FPersonaKanbanTaskOutput | None:
    """Return the task that has been in `inbox` the longest, or None."""
    waiting = [task for task in tasks if task.calc_bucket() == "inbox"]
    return min(waiting, key=lambda task: (task.ktask_inbox_ts, task.ktask_id), default=None)


def _check_details(task: FPersonaKanbanTaskOutput) -> None:
    if (size := len(task.ktask_payload_json)) > MAX_DETAILS:
        raise BoardError("TooLarge", f"The details have {size} characters as JSON; {MAX_DETAILS} are allowed.")


def _known(tasks: Mapping[str, FPersonaKanbanTaskOutput], task_id: str) -> FPersonaKanbanTaskOutput:
    if (task := tasks.get(task_id)) is None:
        raise BoardError("UnknownTask", f"There is no task {task_id!r}.")
    return task


def _placed(
    tasks: Mapping[str, FPersonaKanbanTaskOutput], task: FPersonaKanbanTaskOutput, column: str, now: float, limit: int
) -> FPersonaKanbanTaskOutput:
    """Return `task` in `column`: the times of the columns after it are cleared, as it is not there any more."""
    if column == "inprogress":
        busy = sum(other.calc_bucket() == "inprogress" for other in tasks.values() if other.ktask_id != task.ktask_id)
        if busy >= limit:
            raise BoardError("LimitReached", f"{busy} tasks are in progress; {limit} are allowed (maxInProgress).")
    at = COLUMNS.index(cast("Column", column))
    began = task.ktask_inprogress_ts
    return replace(
        task,
        ktask_todo_ts=(task.ktask_todo_ts or now) if at >= 1 else 0.0,
        ktask_inprogress_ts=(began or now) if at == 2 else began if at > 2 else 0.0,
        ktask_done_ts=now if at == 3 else 0.0,
        ktask_inprogress_ft_id=task.ktask_inprogress_ft_id if at >= 2 else None,
        ktask_inprogress_activity_ts=now if at == 2 else task.ktask_inprogress_activity_ts,
    )
