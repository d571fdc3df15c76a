"""Bodies of the tasks of a Persona's board."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from botyard.gateway.models.base import Answer, Body

TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


TaskColumn = Literal["inbox", "todo", "inprogress", "done"]


class TaskRequest(Body):
    """A new task for a Persona."""

    title: str = Field(min_length=1, max_length=200)
    details: dict[str, Any] = Field(
        default_factory=dict, description="What the bot needs to know; `description` is shown."
    )
    column: TaskColumn = "inbox"
    budget: int = Field(default=0, ge=0, description="Coins that it may cost; 0: the Persona's default.")
    expert: str = Field(default="", max_length=100, description="Who works on it; empty: the default expert.")
    id: TaskId | None = Field(default=None, description="The client's own; the same task again does nothing.")


class TaskMove(Body):
    """Where a task goes."""

    column: TaskColumn
    summary: str = Field(default="", max_length=4000, description="What came of it, for a task that is done.")
    thread: str = Field(
        default="", max_length=200, description="The thread that works on it; empty: one is begun where an expert can."
    )


class TaskAnswer(Answer):
    """One task. Times are seconds since 1970."""

    id: str
    title: str
    column: TaskColumn
    details: dict[str, Any]
    thread: str | None = Field(default=None, description="The thread that works on it.")
    budget: int = 0
    created: float
    done: float | None = None
    summary: str = ""


class TaskChange(Answer):
    """One change of a task."""

    at: float
    action: Literal["INSERT", "UPDATE"]
    column: TaskColumn = Field(description="Where the task was from then on.")
    by: dict[str, str] = Field(
        description="Who did it, as far as it is known: `user`, `persona` and `thread`, or `schedule`."
    )
    changed: tuple[str, ...] = Field(description="Fields that were changed beside the column, such as `ktask_details`.")


class TaskWithHistory(TaskAnswer):
    """One task, and what was done to it: the first change and the newest 49 others."""

    history: tuple[TaskChange, ...]


class TaskList(Answer):
    """Tasks in the order of their identifiers."""

    tasks: tuple[TaskAnswer, ...]
    last: str = Field(description="Give it as `after` to read on; empty: there are no more.")
