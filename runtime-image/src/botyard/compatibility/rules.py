"""Holds one saved session against a machine's shape. Pure: no I/O, no code of the bundle."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import referencing
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from botyard.contract.machine import MachineShape

MisfitKind = Literal["StateGone", "PluginGone", "VariableGone", "VariableInvalid", "NotASession"]
MAX_DEPTH = 8
"""Plugins within plugins; a session that nests deeper is none that a machine saved."""
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Misfit:
    """One reason why a session cannot go on."""

    kind: MisfitKind
    subject: str
    """The state, plugin or variable; those of a plugin follow its name: `payment.amount`."""
    message: str


class Judge:
    """Judges sessions by the shape of one revision. May be used by many threads."""

    def __init__(self, shape: MachineShape, prefix: str = "", depth: int = 0) -> None:
        """Prepare.

        Args:
            shape: What sessions must fit.
            prefix: Of the subjects: names of the plugins around this machine.
            depth: How many those are.
        """
        self._shape = shape
        self._prefix = prefix
        self._depth = depth
        self._states = frozenset(shape.states)

    @cached_property
    def _properties(self) -> Mapping[str, Any]:
        found = (self._shape.variables or {}).get("properties")
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def _validators(self) -> dict[str, Any]:
        schema = self._shape.variables or {}
        # Definitions of the whole schema go with each variable's own. The empty registry keeps references inside:
        # a schema may come from anybody who may operate the bot and must not make this process fetch addresses.
        around = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
        return {
            name: Draft202012Validator({**around, **own}, registry=referencing.Registry())
            for name, own in self._properties.items()
            if isinstance(own, Mapping)
        }

    @cached_property
    def _nested(self) -> dict[str, "Judge"]:
        return {
            name: Judge(shape, f"{self._prefix}{name}.", self._depth + 1) for name, shape in self._shape.nested.items()
        }

    def misfits(self, session: Any) -> Iterator[Misfit]:
        """Yield what of a saved session does not fit; nothing for one that can go on.

        Args:
            session: `{"main": {"state", "status", "variables"}, "plugins": {name: …}}`.
        """
        main = session.get("main") if isinstance(session, Mapping) else None
        if not isinstance(main, Mapping) or self._depth > MAX_DEPTH:
            yield self._misfit("NotASession", "session", "The stored state is not one that a machine saves.")
            return
        state = main.get("state", "zero")
        if state not in self._states:
            yield self._misfit("StateGone", str(state), "The session is in a state that the revision does not have.")
        variables = main.get("variables")
        if self._shape.variables is not None and isinstance(variables, Mapping):
            yield from self._variables(variables)
        plugins = session.get("plugins")
        for name, plugin in plugins.items() if isinstance(plugins, Mapping) else ():
            judge = self._nested.get(name)
            if not plugin:
                continue  # A machine takes that for a plugin at its beginning.
            if judge is not None:
                yield from judge.misfits(plugin)
            else:
                yield self._misfit("PluginGone", str(name), "The session has a plugin that the revision does not have.")

    def _variables(self, variables: Mapping[str, Any]) -> Iterator[Misfit]:
        schema = self._shape.variables or {}
        for name, value in variables.items():
            if name not in self._properties:
                # Empty ones carry nothing that could be lost; machines drop what their revision does not declare.
                if value and schema.get("additionalProperties") is not True:
                    yield self._misfit("VariableGone", name, "The session has a variable that is no longer declared.")
                continue
            own = self._properties[name]
            # As when a session is restored: a default is always accepted (`name: str = None` is common).
            if isinstance(own, Mapping) and "default" in own and own["default"] == value:
                continue
            validator = self._validators.get(name)
            if validator is not None and (error := _first(validator.iter_errors(value))):
                message = f"Its value does not fit the declaration: {error.message}"
                yield self._misfit("VariableInvalid", name, message)
        for name in schema.get("required") or ():
            if name not in variables:
                message = "The revision needs a variable that the session does not have."
                yield self._misfit("VariableInvalid", str(name), message)

    def _misfit(self, kind: MisfitKind, subject: str, message: str) -> Misfit:
        return Misfit(kind, f"{self._prefix}{subject}"[:MAX_TEXT], message[:MAX_TEXT])


def _first(errors: Iterator[ValidationError]) -> ValidationError | None:
    return next(errors, None)
