"""What every turn of a Persona's key needs to know: which tasks are where, and what the clock brings next.

Tasks themselves are records, one for each, so that a turn costs what it touches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botyard.loop.board import Change
from botyard.loop.tasks import COLUMNS, FPersonaKanbanTaskOutput

KEPT_DONE = 500
"""Tasks that are done and kept on the board."""


@dataclass
class PersonaState:
    """The state of a Persona's key.

    Attributes:
        inprogress: Tasks that are worked on.
        done: Tasks that are done, the oldest first.
        inbox: How many are there.
        todo: The same.
        schedules: What is planned, by the schedule's name (see `botyard.loop.planning`).
        uid: Of the Persona that planned it.
        own: Schedules that its experts added, by name: {type, when, question}.
    """

    inprogress: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    inbox: int = 0
    todo: int = 0
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    uid: str = ""
    own: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> "PersonaState":
        """Return the state of a document; None is that of a new Persona."""
        document = state or {}
        kept = document.get("board") or {}
        inprogress = list(kept.get("inprogress", ()))
        # Earlier releases kept how many were open, not where.
        inbox = kept.get("inbox", int(kept.get("open", 0)) - len(inprogress) if "open" in kept else 0)
        return cls(
            inprogress=inprogress,
            done=list(kept.get("done", ())),
            inbox=max(0, int(inbox)),
            todo=int(kept.get("todo", 0)),
            schedules={name: dict(planned) for name, planned in (document.get("schedules") or {}).items()},
            uid=str(document.get("uid") or ""),
            own={name: dict(added) for name, added in (document.get("own") or {}).items()},
        )

    def document(self) -> dict[str, Any]:
        """Return the state to keep."""
        board = {"inprogress": self.inprogress, "done": self.done, "inbox": self.inbox, "todo": self.todo}
        own = {"own": self.own} if self.own else {}
        return {"board": board, "schedules": self.schedules, "uid": self.uid, **own}

    @property
    def open(self) -> int:
        """How many tasks are not done."""
        return self.inbox + self.todo + len(self.inprogress)

    def counts(self) -> dict[str, int]:
        """Return how many tasks are in each column."""
        found = (self.inbox, self.todo, len(self.inprogress), len(self.done))
        return dict(zip(COLUMNS, found, strict=True))

    def count(self, tasks: Iterable[FPersonaKanbanTaskOutput]) -> None:
        """Count anew, from every task that is kept."""
        found = [task.calc_bucket() for task in tasks]
        self.inbox, self.todo = found.count("inbox"), found.count("todo")

    def take(self, change: Change) -> list[str]:
        """Follow a change; return the tasks that are kept no longer."""
        was = change.old.calc_bucket() if change.old is not None else None
        now = change.new.calc_bucket() if change.new is not None else None
        task = (change.new or change.old).ktask_id  # type: ignore[union-attr]
        if was != now:
            self.inbox += (now == "inbox") - (was == "inbox")
            self.todo += (now == "todo") - (was == "todo")
        for name, listed in (("inprogress", self.inprogress), ("done", self.done)):
            if task in listed and now != name:
                listed.remove(task)
            elif task not in listed and now == name:
                listed.append(task)
        forgotten = self.done[:-KEPT_DONE]
        del self.done[:-KEPT_DONE]
        return forgotten
