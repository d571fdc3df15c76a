"""Describes a bundle of the FSM model."""

import contextlib
import inspect
import sys
import types
from pathlib import Path
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from botyard.contract.bot import Entrypoint
from botyard.contract.machine import MachineShape
from botyard.fsm import inspection
from botyard.fsm.failures import describe
from botyard.fsm.machine import AbstractFSM
from botyard.fsm.program import FsmProgram
from botyard.fsm.structure import state_name
from botyard.fsm.variables import declared_model
from botyard.inspection.manifest import Credential, Finding, Machine, Manifest, Transition

PLACEHOLDER = "placeholder"
"""What constructors get for each credential, so that those that check for them go on."""


def describe_machine(
    bundle: Path, entrypoint: Entrypoint, credentials: tuple[Credential, ...]
) -> tuple[Manifest, inspection.Inspection | None]:
    """Import a bundle, and return its manifest and the machine's description.

    The description is None where the code cannot be imported; the manifest's findings then say why.
    """
    bundle = bundle.resolve()
    given = {credential.name: PLACEHOLDER for credential in credentials}
    manifest = Manifest(model="fsm", entrypoint=entrypoint, credentials=credentials)
    try:
        # What the bundle prints is not this command's answer.
        with contextlib.redirect_stdout(sys.stderr):
            program = FsmProgram.load(bundle, entrypoint.module, entrypoint.symbol, credentials=given)
            machine = program.probe()
            described = program.inspect()
    except (Exception, SystemExit) as error:
        failure = describe(error, bundle)
        finding = Finding(
            severity="error",
            code="LoadFailed",
            subject=failure.kind,
            message=failure.message,
            where=failure.where.partition(" in ")[0],
            fix="Correct this line; requirements of the bundle must be installed where it is inspected.",
        )
        return manifest.model_copy(update={"findings": (finding,)}), None
    bot = program.bot
    schema, unfit = _variables(bot)
    findings = [_finding(found, bot, bundle) for found in described.findings] + unfit
    if machine is None:
        findings += _constructor(program, bot, bundle)
    outputs = tuple(sorted(map(str, bot.output_variables or ())))
    return (
        manifest.model_copy(
            update={
                "name": bot.__name__,
                "version": _version(bot),
                "entrypoint": Entrypoint(model="fsm", module=bot.__module__, symbol=bot.__qualname__),
                "machine": Machine(
                    states=described.states,
                    transitions=tuple(
                        Transition(source=e.source, dest=e.dest, trigger=e.trigger, conditions=e.conditions)
                        for e in described.edges
                    ),
                    variables=schema,
                    outputs=outputs,
                    plugins=described.plugins,
                    nested=_nested(machine),
                ),
                "findings": tuple(findings),
            }
        ),
        described,
    )


def _finding(found: inspection.Finding, bot: type[AbstractFSM], bundle: Path) -> Finding:
    return Finding(
        severity=found.severity,
        code=found.code,
        subject=found.subject,
        message=found.message,
        where=_place(getattr(bot, f"on_enter_{found.subject}", None), bundle) or _place(bot, bundle),
        fix=found.fix,
    )


def _constructor(program: FsmProgram, bot: type[AbstractFSM], bundle: Path) -> list[Finding]:
    """Return why the bot cannot be made; it may need a credential that was not found, or a service."""
    failure = program.construction_failure()
    if failure is None:
        return []
    return [
        Finding(
            severity="warning",
            code="ConstructorFails",
            subject=bot.__name__,
            message=f"{bot.__name__}.__init__ raises without real credentials: {failure.kind}: {failure.message}",
            where=failure.where.partition(" in ")[0],
            fix="Read credentials by name from `credentials`, and reach services in a state, not in the constructor; "
            "states and plugins that the constructor adds could not be inspected.",
        )
    ]


def _nested(machine: AbstractFSM | None) -> dict[str, MachineShape]:
    return {
        str(name): MachineShape(
            states=tuple(dict.fromkeys(state_name(state) for state in plugin.states)),
            variables=_variables(type(plugin))[0],
            nested=_nested(plugin),
        )
        for name, plugin in (machine.plugins if machine is not None else {}).items()
        if isinstance(plugin, AbstractFSM)
    }


def _variables(bot: type[AbstractFSM]) -> tuple[dict[str, Any] | None, list[Finding]]:
    model = declared_model(bot.variable_names)
    if model is None:
        return None, []
    try:
        return model.model_json_schema(), []
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        finding = Finding(
            severity="warning",
            code="VariableNotJson",
            subject=model.__name__,
            message=f"A variable of {model.__name__} has a type that JSON cannot hold: "
            f"{str(error).partition(chr(10))[0]}",
            fix="Declare variables as text, numbers, lists, dicts or pydantic models; others cannot be saved.",
        )
        return {"title": model.__name__, "type": "object", "properties": {name: {} for name in model.model_fields}}, [
            finding
        ]


def _version(bot: type[AbstractFSM]) -> str:
    for holder in (bot, sys.modules.get(bot.__module__)):
        for name in ("__version__", "version", "VERSION"):
            value = getattr(holder, name, None)
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                return str(value)
    return ""


def _place(thing: Any, bundle: Path) -> str:
    """Return `file:line` of a function or class of the bundle, or an empty text."""
    if not isinstance(thing, type | types.FunctionType | types.MethodType):
        return ""
    try:
        path = Path(inspect.getfile(thing)).resolve()
        line = inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        return ""
    return f"{path.relative_to(bundle)}:{line}" if path.is_relative_to(bundle) else ""
