"""Fields that are declared but have no behaviour yet in this release.

The schema shows the whole API from the first release on. A field that nothing acts on yet must never be ignored in
silence: reconcilers report it as Stalled with reason FieldNotSupported, `kubectl explain` says so in its description,
and the CRD gives it no default. When a field's behaviour arrives, delete its line here and regenerate the CRDs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from botyard_operator.api.bot import BotSpec
from botyard_operator.api.bundle import BundleSpec
from botyard_operator.api.persona import PersonaSpec
from botyard_operator.api.reasons import ConditionType

Kind = Literal["Bundle", "Bot", "Persona"]
Spec = BundleSpec | BotSpec | PersonaSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedField:
    """A field that is set but has no behaviour yet."""

    path: str
    """Where it is, such as `spec.git.verify`."""
    hint: str
    """What to do instead."""

    @property
    def message(self) -> str:
        """The text for the condition."""
        return f"{self.path} has no effect in this release: {self.hint}"


def _never(_: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table."""

    path: str
    hint: str
    harmless: Callable[[Any], bool] = _never
    """Tells values that ask for nothing beyond what this release does anyway."""

    @property
    def whole(self) -> bool:
        """Whether the field has no behaviour at all, whatever its value."""
        return self.harmless is _never


_REMOVE = "remove the field"

TABLE: Mapping[Kind, tuple[Entry, ...]] = {
    "Bundle": (),
    "Bot": (Entry("spec.rollout.ramp", _REMOVE),),
    "Persona": (),
}
"""What is not in force yet."""

PENDING_CONDITIONS: Mapping[Kind, tuple[ConditionType, ...]] = {
    "Bundle": (),
    "Bot": (),
    "Persona": (),
}
"""Conditions that are reserved for the fields above and not reported yet."""


def unsupported_fields(kind: Kind, spec: Spec) -> list[UnsupportedField]:
    """Return the fields of `spec` that were set by somebody but have no behaviour in this release.

    Args:
        kind: The kind that the spec belongs to.
        spec: The spec as `Kind.parse` read it. Fields that were left out, or are null, empty or `{}`, do not count.
    """
    found = []
    for entry in TABLE[kind]:
        value = _explicit(spec, entry.path)
        if value is not None and not entry.harmless(value):
            found.append(UnsupportedField(path=entry.path, hint=entry.hint))
    return found


def _explicit(spec: BaseModel, path: str) -> Any:
    """Return the value at `path` where it was written in the object and says something, else None."""
    value: Any = spec
    for name in path.split(".")[1:]:
        model = type(value)
        field = next(python for python, info in model.model_fields.items() if (info.alias or python) == name)
        if field not in value.model_fields_set:
            return None
        value = getattr(value, field)
        if value in (None, "", (), {}) or (isinstance(value, BaseModel) and not value.model_fields_set):
            return None
    return value
