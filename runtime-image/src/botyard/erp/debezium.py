"""Changes in the envelopes of Debezium, as its connectors for Postgres write them."""

import hashlib
import json
import re
from typing import Any

from botyard.contract.erp import Action
from botyard.erp import debezium_values as values
from botyard.erp.changes import Change

_ACTIONS: dict[str, Action] = {"c": "INSERT", "r": "INSERT", "u": "UPDATE", "d": "DELETE"}
_PART = re.compile(r"[A-Za-z0-9_./+=@-]{0,32}")
"""What a part of an id may have: four of them fit into one."""


class EnvelopeError(ValueError):
    """An envelope that cannot be read; the message says why."""


def is_envelope(document: Any) -> bool:
    """Tell whether a document is meant as an envelope, with its schema or without, or as what comes among them."""
    return isinstance(document, dict) and (
        "op" in _payload(document) or "payload" in document or _is_notice(_payload(document))
    )


def _is_notice(payload: dict[str, Any]) -> bool:
    """Tell whether this is no change of a row: a heartbeat, a transaction's begin or end, a change of the schema."""
    keys = payload.keys()
    return keys == {"ts_ms"} or {"status", "id", "event_count"} <= keys or {"source", "ddl", "tableChanges"} <= keys


def read(document: dict[str, Any], table: str) -> Change | None:
    """Return the change that an envelope tells of.

    Args:
        document: The envelope; its `payload` where it comes with its schema.
        table: The table that it is for.

    Returns:
        The change; None of what is none: the tombstone after a DELETE, a message, a TRUNCATE, a heartbeat, the begin
        or end of a transaction, a change of the database's schema.

    Raises:
        EnvelopeError: It is no envelope, or one of another table.
    """
    payload = _payload(document)
    if document.get("payload", payload) is None:
        return None
    op, source = payload.get("op"), payload.get("source") or {}
    if op in ("m", "t") or (op is None and _is_notice(payload)):
        return None
    if op not in _ACTIONS:
        raise EnvelopeError(f"the envelope's op is {op!r}; ops are c, r, u and d")
    if not isinstance(source, dict):
        raise EnvelopeError("the envelope's source is no object")
    if (named := source.get("table", table)) != table:
        raise EnvelopeError(f"the envelope is of the table {named!r}, not {table!r}")
    rows = {"new": payload.get("after"), "old": payload.get("before")}
    for name, row in rows.items():
        if row is not None and not isinstance(row, dict):
            raise EnvelopeError(f"the envelope's row {name} is no object")
    if op != "u" and op != "d":
        rows["old"] = None
    schema = document.get("schema")
    try:
        rows = {
            name: values.row_of(row, values.schema_in(schema, place))
            for (name, row), place in zip(rows.items(), ("after", "before"), strict=True)
        }
        return Change(id=_identity(op, source, payload), action=_ACTIONS[op], **rows)
    except ValueError as error:
        raise EnvelopeError(_first_line(error)) from None


def _payload(document: dict[str, Any]) -> dict[str, Any]:
    payload = document.get("payload")
    return payload if isinstance(payload, dict) else document


def _identity(op: str, source: dict[str, Any], payload: dict[str, Any]) -> str | None:
    """Return what names the change in its database.

    One place in the log may hold several changes: the rows of a COPY, or the DELETE and INSERT that Debezium makes of a
    changed primary key. What they do to which row tells them apart.
    """
    lsn = source.get("lsn")
    if lsn is None or op == "r":
        return None
    rows = _digest(json.dumps([payload.get("before"), payload.get("after")], sort_keys=True))
    return ":".join([*(_fit(source.get(name, "")) for name in ("db", "lsn", "txId")), op, rows])


def _fit(part: Any) -> str:
    """Return a part of an id, hashed where an id cannot have it."""
    text = str(part)
    return text if _PART.fullmatch(text) else _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _first_line(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    return str(errors()[0]["msg"]).removeprefix("Value error, ") if errors else str(error)
