"""Rows of the company's database, by the names of both times of the kit; see `botyard.loop.rows`.

The first argument of each function, a client or a connection, is not used: rows are read and written with the asking
Persona's own role. `ws_id` restricts them in tables that have such a column. Of what is written, columns that are None
are left out, as bots of the kit expect; `botyard.erp.patch` writes NULL.
"""

import dataclasses
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from botyard.erp import filters
from botyard.erp.filter_language import FilterError
from botyard.loop import rows
from botyard.loop.erp_schema import Row
from botyard.loop.erp_tables.casts import cast_of
from botyard.loop.errors import PlatformError, query_error

T = TypeVar("T")

__all__ = [
    "batch_upsert_erp_records",
    "check_record_matches_filters",
    "create_erp_record",
    "dataclass_from_dict",
    "dataclass_or_dict_to_dict",
    "delete_erp_record",
    "erp_record_batch_upsert",
    "erp_record_create",
    "erp_record_delete",
    "erp_record_patch",
    "erp_table_batch_upsert",
    "erp_table_create",
    "erp_table_data",
    "erp_table_delete",
    "erp_table_patch",
    "patch_erp_record",
    "query_erp_table",
]


def dataclass_or_dict_to_dict(x: Any) -> dict[str, Any]:
    """Return columns as data, without those that are None, and of a row without those that nobody has set.

    Raises:
        ValueError: It is neither an object of a dataclass nor a dict.
    """
    if isinstance(x, Row):
        found = rows.columns_of(x)
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        found = dataclasses.asdict(x)
    elif isinstance(x, Mapping):
        found = dict(x)
    else:
        raise ValueError(f"a record is a dataclass or a dict, not a {type(x).__name__}")
    return {name: value for name, value in found.items() if value is not None}


def dataclass_from_dict(data: Mapping[str, Any], cls: type[T]) -> T:
    """Return an object of a dataclass; columns that it does not name are left out, exact numbers and times are such.

    Raises:
        TypeError: A column without a default is missing.
        ValueError: A value is none of its column's type.
    """
    if isinstance(cls, type) and issubclass(cls, Row):
        return cls.from_row(data)
    if not dataclasses.is_dataclass(cls):
        return dict(data)  # type: ignore[return-value]
    known = {field.name: cast_of(field.type) for field in dataclasses.fields(cls)}
    columns = {name: value for name, value in data.items() if name in known}
    cast = {
        name: value if value is None or (to := known[name]) is None else to(value) for name, value in columns.items()
    }
    return cls(**cast)


def check_record_matches_filters(record: Any, filters_: Any = (), *_: Any, **more: Any) -> bool:
    """Tell whether a record passes filters; one that cannot be read lets nothing pass."""
    try:
        columns = record.as_row() if isinstance(record, Row) else dataclass_or_dict_to_dict(record)
        return filters.parse(more.get("filters", filters_) or [])(columns)
    except FilterError:
        return False


async def query_erp_table(
    client: Any,
    table_name: str,
    ws_id: str = "",
    result_class: type[T] | None = None,
    skip: int = 0,
    limit: int = 100,
    sort_by: Sequence[str] = (),
    filters: Any = (),
    include: Sequence[str] = (),
    **more: Any,
) -> list[T]:
    """Return rows as objects of `result_class`, else of the table's own class.

    Raises:
        TransportQueryError: The database refuses, or rows of other tables are asked for (`include`).
    """
    if include:
        raise query_error(f"rows of {table_name} come without those of other tables: query {', '.join(include)} itself")
    found = await _refused_as_query(
        rows.query(
            table_name,
            filters or [],
            order=list(sort_by or ()),
            limit=limit,
            skip=skip,
            workspace=ws_id or "",
        )
    )
    wanted = result_class or more.get("schema_class")
    return [row if wanted is None else dataclass_from_dict(row.as_row(), wanted) for row in found]  # type: ignore[misc]


async def create_erp_record(client: Any, table_name: str, ws_id: str, record: Any, **more: Any) -> str:
    """Add a row and return its primary key."""
    columns = dataclass_or_dict_to_dict(record)
    if not columns.get("ws_id"):
        columns.pop("ws_id", None)
    asked = {"row": rows.plain(columns), "workspace": ws_id or ""}
    return str((await _refused_as_query(rows.ask("create", table_name, asked)))["id"])


async def patch_erp_record(
    client: Any, table_name: str, ws_id: str, pk_value: str | int, updates: Any, **more: Any
) -> bool:
    """Change columns of a row; True: it was there."""
    changes = dataclass_or_dict_to_dict(updates)
    if changes:
        await _refused_as_query(rows.patch(table_name, pk_value, changes))
    return True


async def delete_erp_record(client: Any, table_name: str, ws_id: str, pk_value: str | int, **more: Any) -> bool:
    """Delete a row; True: it was there."""
    await _refused_as_query(rows.delete(table_name, pk_value))
    return True


async def batch_upsert_erp_records(
    client: Any, table_name: str, ws_id: str, upsert_key: str, records: Sequence[Any], **more: Any
) -> dict[str, Any]:
    """Write rows over those that are there, or add them; return how many of each, and their keys."""
    done = await _refused_as_query(
        rows.batch(table_name, upsert_key, [*map(dataclass_or_dict_to_dict, records)], workspace=ws_id or "")
    )
    return {"created": done.created, "updated": done.updated, "ids": list(done.ids)}


erp_table_data = query_erp_table
erp_table_create = erp_record_create = create_erp_record
erp_table_patch = erp_record_patch = patch_erp_record
erp_table_delete = erp_record_delete = delete_erp_record
erp_table_batch_upsert = erp_record_batch_upsert = batch_upsert_erp_records


async def _refused_as_query(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except PlatformError as error:
        raise query_error(str(error)) from error
