"""A task of a Persona's kanban board, as bots see it.

Source: `FPersonaKanbanTaskOutput` of the loop model's kit, and the names that the document uses for the same things
(`ktask_column`, `ktask_description`, `ktask_payload_json`).
"""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

Column = Literal["inbox", "todo", "inprogress", "done"]
COLUMNS: tuple[Column, ...] = get_args(Column)


@dataclass
class FPersonaKanbanTaskOutput:
    """One task. Times are seconds since the epoch, 0.0 where the task never was in that column."""

    ktask_id: str
    persona_id: str = ""
    ktask_title: str = ""
    ktask_details: dict[str, Any] = field(default_factory=dict)
    ktask_inbox_ts: float = 0.0
    ktask_inbox_provenance: dict[str, Any] = field(default_factory=dict)
    ktask_todo_ts: float = 0.0
    ktask_inprogress_ts: float = 0.0
    ktask_inprogress_ft_id: str | None = None
    """The thread that works on it."""
    ktask_inprogress_activity_ts: float = 0.0
    ktask_done_ts: float = 0.0
    ktask_resolution_code: str = ""
    ktask_resolution_summary: str = ""
    ktask_budget: int = 0
    """Coins that the task may cost; 0: the Persona's default."""
    ktask_coins: int = 0
    """Coins that it has cost."""
    ktask_daily_timekey: str = ""
    """Day of the Persona on which it began, YYYYMMDD."""
    ktask_fexp_name: str = ""
    """The expert that works on it; empty: the default one."""
    ws_id: str = ""
    ktask_history: list[dict[str, Any]] = field(default_factory=list, compare=False, repr=False)
    """What was done to it, the oldest first: `{at, action, column, by, changed}` (see `botyard.loop.task_history`)."""

    def calc_bucket(self) -> Column:
        """Return the column that the task is in."""
        if self.ktask_done_ts > 0:
            return "done"
        if self.ktask_inprogress_ts > 0:
            return "inprogress"
        return "todo" if self.ktask_todo_ts > 0 else "inbox"

    @property
    def ktask_column(self) -> Column:
        """The column that the task is in."""
        return self.calc_bucket()

    @property
    def ktask_description(self) -> str:
        """The details' description; their JSON where they have none."""
        described = self.ktask_details.get("description")
        if isinstance(described, str):
            return described
        return self.ktask_payload_json if self.ktask_details else ""

    @property
    def ktask_payload_json(self) -> str:
        """The details as JSON."""
        return json.dumps(self.ktask_details, ensure_ascii=False)

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON-able data, from which `from_record` makes the same task."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "FPersonaKanbanTaskOutput":
        """Return the task of a record; keys of a later release are left out."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in record.items() if key in known})
