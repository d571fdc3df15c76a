"""Walks the generated schemas, for tests about all fields and all rules."""

from collections.abc import Iterator
from typing import Any

from botyard_operator.api.crd import KINDS, build_schema

Schema = dict[str, Any]


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every schema below with its path: `spec.credentials[].name`, `spec.model.roles.*.name`."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}.*")


def schemas() -> dict[str, Schema]:
    """Return the schema of each kind."""
    return {kind.definition.kind: build_schema(kind) for kind in KINDS}


def rules() -> list[tuple[str, str, dict[str, Any]]]:
    """Return kind, location and entry of every rule."""
    return [
        (kind, path, rule)
        for kind, schema in schemas().items()
        for path, node in walk(schema)
        for rule in node.get("x-kubernetes-validations", [])
    ]
