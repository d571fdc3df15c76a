"""What bots may ask of a database, as it comes from a worker, which is not trusted."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from botyard.erp.store.errors import StoreError

MAX_ROWS = 1_000
"""Rows that one question answers with, or that one batch writes."""
MAX_WRITTEN = 1_048_576
"""Bytes of what one request holds, as JSON."""

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]
RowId = Annotated[str | int, Field()]
Values = dict[Name, Any]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Name


class Query(_Request):
    """Rows of a table."""

    do: Literal["query"] = "query"
    where: Any = ()
    """In the filter language."""
    order: tuple[Annotated[str, Field(max_length=80)], ...] = Field(default=(), max_length=16)
    limit: int = Field(default=100, ge=1, le=MAX_ROWS)
    skip: int = Field(default=0, ge=0, le=10_000_000)
    columns: tuple[Name, ...] = ()
    """Empty: all that the role may read."""
    workspace: str = ""
    """Only rows of this one, where the table tells workspaces apart (`ws_id`)."""


class Get(_Request):
    """One row."""

    do: Literal["get"] = "get"
    id: RowId


class Create(_Request):
    """A new row."""

    do: Literal["create"] = "create"
    row: Values
    workspace: str = ""
    """The row's `ws_id` where it has none, in tables that have such a column."""


class Patch(_Request):
    """Changed columns of a row.

    A value may be `{"$increment": n}`, `{"$decrement": n}`, `{"$append": value}` or `{"$remove": value}`.
    """

    do: Literal["patch"] = "patch"
    id: RowId
    changes: Values = Field(min_length=1)
    expected: Values = {}
    """Columns that must have these values still."""


class Delete(_Request):
    """A row that is to be gone."""

    do: Literal["delete"] = "delete"
    id: RowId
    expected: Values = {}


class Archive(_Request):
    """A row that is to be archived: its archive column becomes the time."""

    do: Literal["archive"] = "archive"
    id: RowId
    column: Name
    expected: Values = {}


class Batch(_Request):
    """Rows that are written over those that are there, found by one column, or added; all or none."""

    do: Literal["batch"] = "batch"
    key: Name
    rows: tuple[Values, ...] = Field(max_length=MAX_ROWS)
    workspace: str = ""
    """As for `Create`."""

    @model_validator(mode="after")
    def _have_keys(self) -> "Batch":
        if any(row.get(self.key) is None for row in self.rows):
            raise ValueError(f"each row needs {self.key}, by which it is found")
        return self


Write = Create | Patch | Delete | Archive | Batch
KINDS: dict[str, type[Query] | type[Get] | type[Create] | type[Patch] | type[Delete] | type[Archive] | type[Batch]] = {
    kind.model_fields["do"].default: kind for kind in (Query, Get, Create, Patch, Delete, Archive, Batch)
}


def read(do: str, arguments: Any) -> Query | Get | Write:
    """Return what is asked.

    Raises:
        StoreError: It is nothing that can be asked (`BadRequest`), or more than may be sent at once (`TooLarge`).
    """
    if (kind := KINDS.get(do)) is None:
        raise StoreError("BadRequest", f"a database cannot be asked to {do[:40]!r}")
    try:
        size = len(json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError) as error:
        raise StoreError("BadValue", f"JSON cannot express this: {error}") from None
    if size > MAX_WRITTEN:
        raise StoreError("TooLarge", f"this has {size} bytes as JSON; {MAX_WRITTEN} may be sent at once")
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StoreError("BadRequest", f"{place}: {first['msg']}" if place else str(first["msg"])) from None
