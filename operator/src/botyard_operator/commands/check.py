"""Everything about one object that can be told without a cluster."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botyard.contract import names
from botyard_operator.api.crd import build_schema
from botyard_operator.api.errors import InvalidObject
from botyard_operator.commands.manifests import KINDS, Document

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def problems(document: Document) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an object of one of the kinds: the field's path, and what to write instead."""
    obj = document.obj
    version = obj.get("apiVersion")
    if version != names.API_VERSION:
        yield "apiVersion", f"is {version!r}; write {names.API_VERSION}"
        return
    kind = KINDS.get(document.kind)
    if kind is None:
        yield "kind", f"is {document.kind!r}; write one of {', '.join(KINDS)}"
        return
    name = (obj.get("metadata") or {}).get("name") if isinstance(obj.get("metadata"), dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield "metadata.name", f"is {name!r}; write small letters, digits and dashes"
    schema = build_schema(kind)
    yield from _unknown({key: value for key, value in obj.items() if key in ("spec",)}, schema, "")
    for key in obj:
        if key not in ("apiVersion", "kind", "metadata", "spec", "status"):
            yield key, f"is no field of a {document.kind}{_nearest(key, ('metadata', 'spec'))}"
    try:
        kind.parse(obj)
    except InvalidObject as error:
        yield error.path, error.message
        for other in error.others:
            path, _, message = other.partition(": ")
            yield path, message


def _unknown(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield the fields that the schema does not have: the API server would drop them, or refuse the object."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict):
        properties = schema.get("properties")
        further = schema.get("additionalProperties")
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            if properties is not None and key in properties:
                yield from _unknown(inner, properties[key], place)
            elif isinstance(further, dict):
                yield from _unknown(inner, further, f"{path}['{key}']")
            elif properties is not None:
                yield place, f"is no field there{_nearest(str(key), tuple(properties))}"
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, inner in enumerate(value):
            yield from _unknown(inner, schema["items"], f"{path}[{index}]")


def _nearest(name: str, there: tuple[str, ...]) -> str:
    found = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    if found:
        return f"; did you mean {found[0]}?"
    return f"; there are: {', '.join(sorted(there))}"
