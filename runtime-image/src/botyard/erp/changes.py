"""One change of one row, as it comes in and as it travels to a Persona."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from botyard.contract.erp import Action

MAX_ID = 128


class Change(BaseModel):
    """What happened to a row.

    A change without an id is a new one each time it is sent; with one it reaches every Persona once, however often it
    is sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(
        default=None, min_length=1, max_length=MAX_ID, pattern=r"^[A-Za-z0-9_.:/+=@-]+$",
        description="The sender's own id; the same change sent again has the same.",
    )  # fmt: skip
    action: Action = Field(description="What happened; ARCHIVE is an UPDATE that sets the row's archive column.")
    new: dict[str, Any] | None = Field(default=None, description="The row after it; needed but for DELETE.")
    old: dict[str, Any] | None = Field(default=None, description="The row before it, as far as it is known.")

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        if self.action == "DELETE" and self.old is None:
            raise ValueError("a DELETE needs `old`, the row that is gone")
        if self.action != "DELETE" and self.new is None:
            raise ValueError(f"an {self.action} needs `new`, the row as it is now")
        return self

    @property
    def row(self) -> dict[str, Any]:
        """The row as it is now, or as it last was."""
        return (self.old if self.action == "DELETE" else self.new) or {}

    def changed(self, columns: tuple[str, ...]) -> bool:
        """Tell whether one of `columns` differs between before and after; an unknown before counts as different."""
        if self.old is None or self.new is None:
            return True
        absent = object()
        return any(self.old.get(name, absent) != self.new.get(name, absent) for name in columns)

    def told_apart(self, archived: str) -> "Change":
        """Return the change with an UPDATE that archives the row called by its name.

        Args:
            archived: Column that is above 0 in rows that are archived; empty: the table has none.
        """
        if self.action != "UPDATE" or not archived or self.old is None:
            return self
        was, is_ = self.old.get(archived), (self.new or {}).get(archived)
        return self.model_copy(update={"action": "ARCHIVE"}) if _set(is_) and not _set(was) else self


def _set(value: Any) -> bool:
    """Tell whether an archive column says so: a time above 0, as a number, its text, or a date."""
    if isinstance(value, str):
        try:
            return float(value) > 0
        except ValueError:
            return value != ""
    return isinstance(value, int | float) and value > 0
