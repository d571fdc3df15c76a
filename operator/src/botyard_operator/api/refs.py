"""References to other objects and the small texts that several kinds share."""

from typing import Annotated

from pydantic import Field

from botyard_operator.api.base import Model
from botyard_operator.api.rules import matches, refuses

ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(
        r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?",
        "write the name of an object: lower-case letters, digits, '-' and '.', such as git-credentials",
    ),
]
NamespaceName = Annotated[
    str,
    Field(min_length=1, max_length=63),
    matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", "write the name of a namespace, such as shop"),
]
EntryKey = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(r"[-._a-zA-Z0-9]+", "write the key of an entry: letters, digits, '-', '_' and '.', such as token"),
]
RelativePath = Annotated[
    str,
    Field(max_length=512),
    refuses(
        r"^/|(^|/)\.\.(/|$)|[\\\x00-\x1f]",
        "write a path below the source's root, with '/' between folders, not starting with '/' and without '..'",
    ),
]


class LocalObjectRef(Model):
    """An object of the same namespace."""

    name: ObjectName
    """Name of the object."""


class SecretKeyRef(Model):
    """One entry of a Secret of the same namespace."""

    name: ObjectName
    """Name of the Secret."""
    key: EntryKey
    """Key of the entry."""
