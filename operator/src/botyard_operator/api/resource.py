"""What the three kinds have in common as objects of the API: how they are read and how they appear in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import ValidationError, ValidatorFunctionWrapHandler, field_validator

from botyard_operator.api.base import Model
from botyard_operator.api.errors import InvalidObject, explain
from botyard_operator.api.meta import ObjectMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    """Above 0: only with `-o wide`."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The scale subresource, for `kubectl scale` and autoscalers."""

    spec_path: str
    status_path: str
    selector_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """How a kind appears in the API, beside its schema."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    scale: Scale | None = None


class Resource(Model):
    """An object of one of the kinds. Subclasses add `spec` and `status`."""

    definition: ClassVar[Definition]

    metadata: ObjectMeta = ObjectMeta()
    """Standard object metadata."""

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """Read an object as the API server returns it.

        Args:
            obj: The object with `metadata`, `spec` and perhaps `status`; `apiVersion` and `kind` may be left out.

        Raises:
            InvalidObject: The object is of another kind, or a field of its spec is impossible.
        """
        kind = obj.get("kind") or cls.definition.kind
        if kind != cls.definition.kind:
            raise InvalidObject("kind", f"is {kind!r}, but a {cls.definition.kind} is expected here")
        try:
            return cls.model_validate(dict(obj))
        except ValidationError as error:
            problems = [explain(detail) for detail in error.errors(include_url=False)]
            (path, message), *rest = problems
            raise InvalidObject(path, message, tuple(f"{p}: {m}" for p, m in rest)) from error

    @field_validator("status", mode="wrap", check_fields=False)
    @classmethod
    def _forgive_status(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        # A status is derived: one that cannot be read (an older or newer operator wrote it) counts as not written yet
        # and the next reconcile replaces it. Failing here would make the object unrepairable.
        try:
            return handler(value if value is not None else {})
        except ValidationError:
            return handler({})
