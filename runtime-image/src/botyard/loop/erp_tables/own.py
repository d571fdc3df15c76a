"""Tables of the company's own: what a bundle's `erp_schema.yaml` says of them, and the classes of their rows.

tables:
  machine:
    key: machine_id
    archived: machine_archived_ts
    version: machine_revision
    columns:
      machine_id: text
      machine_price: decimal
      machine_since: timestamp
      machine_tags: text[]
      machine_details: json
      machine_revision: integer
      machine_archived_ts: float
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from botyard.loop.erp_tables.row import Row
from botyard.loop.erp_tables.row import table as table_of

FILES = ("erp_schema.yaml", "erp_schema.yml", "erp_schema.json")
"""Where a bundle says it, the first of them that is there."""
MAX_BYTES = 262_144
MAX_TABLES = 100
MAX_COLUMNS = 500

ColumnType = Literal[
    "text", "text[]", "integer", "integer[]", "float", "float[]", "decimal", "decimal[]", "boolean", "boolean[]",
    "timestamp", "timestamp[]", "date", "date[]", "json",
]  # fmt: skip
_KINDS: Mapping[str, Any] = {
    "text": str,
    "integer": int,
    "float": float,
    "decimal": Decimal,
    "boolean": bool,
    "timestamp": dt.datetime,
    "date": dt.date,
    "json": Any,
}
Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class SchemaError(ValueError):
    """A schema file that cannot be used; the message says where and why."""


class OwnTable(BaseModel):
    """What is said of one table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Name
    """Column by whose value a row is found."""
    archived: Name | Literal[""] = ""
    """Column that is above 0, or a time, once the row is archived; empty: there is none."""
    version: Name | Literal[""] = ""
    """Column that changes whenever the row does; empty: there is none."""
    columns: Annotated[dict[Name, ColumnType], Field(min_length=1, max_length=MAX_COLUMNS)]
    """Types, by column."""

    @model_validator(mode="after")
    def _are_columns(self) -> "OwnTable":
        for role in ("key", "archived", "version"):
            if (name := getattr(self, role)) and name not in self.columns:
                raise ValueError(f"{role}: {name} is none of the columns")
        if taken := sorted(self.columns.keys() & _RESERVED):
            raise ValueError(f"columns: {taken[0]} cannot be the name of a column")
        return self


class OwnTables(BaseModel):
    """The content of a schema file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: Annotated[dict[Name, OwnTable], Field(max_length=MAX_TABLES)]


_RESERVED = frozenset({"table", "pkey", "archived", "version", "from_row", "as_row", "decimals"})
"""What a row has beside its columns."""


def parse(text: str, name: str = FILES[0]) -> dict[str, OwnTable]:
    """Return the tables of a schema file.

    Raises:
        SchemaError: It is none; the message says where and why.
    """
    if len(text) > MAX_BYTES:
        raise SchemaError(f"{name} is larger than {MAX_BYTES} bytes")
    try:
        return OwnTables.model_validate(yaml.safe_load(text)).tables
    except yaml.YAMLError as error:
        raise SchemaError(f"{name} is not YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "literal_error" and "columns" in first["loc"]:
            said = f"{first['input']!r} is no type of a column; types are {', '.join(get_args(ColumnType))}"
        raise SchemaError(f"{name}: {place or 'the file'}: {said}") from None
    except RecursionError:
        raise SchemaError(f"{name} nests too deeply") from None


def of_bundle(bundle: Path) -> dict[str, OwnTable]:
    """Return the tables that a bundle describes; none where it has no schema file.

    Raises:
        SchemaError: Its file cannot be read.
    """
    for name in FILES:
        try:
            return parse((bundle / name).read_text(encoding="utf-8"), name)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"{name} cannot be read: {error}") from None
    return {}


def class_of(name: str, own: OwnTable) -> type[Row]:
    """Return the class of a table's rows: a dataclass whose columns are None where the database has NULL."""
    columns: list[tuple[str, Any, Any]] = [
        (column, kind_of(type_) | None, dataclasses.field(default=None)) for column, type_ in own.columns.items()
    ]
    constants = {"table": name, "pkey": own.key, "archived": own.archived, "version": own.version}
    title = "".join(part.capitalize() for part in name.split("_")) or name
    namespace = {"__doc__": f"A row of the table {name}.", **constants}
    return table_of(dataclasses.make_dataclass(title, columns, bases=(Row,), namespace=namespace))


def kind_of(type_: str) -> Any:
    """Return the Python type of a column's type."""
    inner = _KINDS[type_.removesuffix("[]")]
    return GenericAlias(list, (inner,)) if type_.endswith("[]") else inner
