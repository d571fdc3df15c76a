"""Schema extensions of Kubernetes, as metadata for fields."""

from typing import Any

from pydantic import Field


def list_map(*keys: str) -> Any:
    """Mark a list of objects as merged by the given keys (camelCase), which are then unique."""
    return Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


LIST_SET: Any = Field(json_schema_extra={"x-kubernetes-list-type": "set"})
"""Marks a list of strings as merged by value, each of them once."""
