"""What all rows have."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform, get_args

from botyard.loop.erp_tables.casts import Cast, cast_of


@dataclass
class Row:
    """One row.

    It has every column that the database sent: those that its class names with their types, others as attributes of
    the same name. Columns that did not come have the defaults.
    """

    table: ClassVar[str] = ""
    pkey: ClassVar[str] = ""
    archived: ClassVar[str] = ""
    """Column that is above 0 once the row is archived; empty: there is none."""
    version: ClassVar[str] = ""
    """Column that changes whenever the row does; empty: there is none."""

    ws_id: str = ""

    @classmethod
    def from_row(cls, columns: Mapping[str, Any]) -> Self:
        """Return a row of what a database sent.

        Raises:
            ValueError: A value is none of its column's type; the message names the column.
        """
        casts = cls._casts()
        known = {name: _cast(name, casts[name], value) for name, value in columns.items() if name in casts}
        row = cls(**{name: value for name, value in known.items() if value is not None})
        for name in columns.keys() - known.keys():
            setattr(row, name, columns[name])
        return row

    @classmethod
    @cache
    def _casts(cls) -> Mapping[str, Cast | None]:
        return {item.name: cast_of(_plain(item.type)) for item in fields(cls)}

    @classmethod
    @cache
    def decimals(cls) -> frozenset[str]:
        """Return the columns that hold decimals."""
        return frozenset(item.name for item in fields(cls) if _plain(item.type) is Decimal)

    def as_row(self) -> dict[str, Any]:
        """Return its columns."""
        return dataclasses.asdict(self) | vars(self)


R = TypeVar("R", bound=Row)


@dataclass_transform()
def table(kind: type[R]) -> type[R]:
    """Make a class that of a table's rows; its fields say of each column what bots may ask about it."""
    made = dataclass(kind)
    for item in fields(made):
        own = item.name == made.pkey
        item.metadata = MappingProxyType(
            {
                "pkey": own,
                "importance": 0,
                "display_name": item.name.replace("_", " ").capitalize(),
                "mutable": not own and item.name != "ws_id",
            }
        )
    return made


def _plain(kind: Any) -> Any:
    """Return the type of a column that may be NULL."""
    inner = [one for one in get_args(kind) if one is not type(None)]
    return inner[0] if type(None) in get_args(kind) and len(inner) == 1 else kind


def _cast(name: str, cast: Cast | None, value: Any) -> Any:
    if value is None or cast is None:
        return value
    try:
        return cast(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
