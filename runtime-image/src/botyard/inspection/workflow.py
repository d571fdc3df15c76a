"""Inspects a bundle of the workflow model: what its marks and its class declare."""

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botyard.contract.bot import Entrypoint
from botyard.inspection.manifest import Credential, Finding, Manifest
from botyard.workflow import decorators, operations
from botyard.workflow.configuration import role_model
from botyard.workflow.entrypoint import BaseEntrypoint
from botyard.workflow.errors import NoWorkflowFound
from botyard.workflow.program import WorkflowProgram


def describe_workflow(bundle: Path, entrypoint: Entrypoint, credentials: tuple[Credential, ...]) -> Manifest:
    """Return the manifest of a workflow bundle; what is wrong with it is among its findings.

    Imports the bundle's code, makes no instance of it.

    Args:
        bundle: Folder of the unpacked bundle.
        entrypoint: Where the workflow is; what is left empty is looked for.
        credentials: What the code reads.
    """
    found = entrypoint.model_copy(update={"model": "workflow"})
    try:
        program = WorkflowProgram.load(bundle, entrypoint.module, entrypoint.symbol)
    except (Exception, SystemExit) as error:
        finding = _failure(error, bundle)
        return Manifest(model="workflow", entrypoint=found, credentials=credentials, findings=(finding,))
    symbol = program.loaded.symbol
    meta = decorators.meta_of(symbol)
    configuration, findings = _configuration(symbol)
    return Manifest(
        model="workflow",
        name=str(meta.get("name") or getattr(symbol, "__name__", "")),
        version=str(meta.get("version") or ""),
        entrypoint=found.model_copy(
            update={"module": program.spec.module or "", "symbol": getattr(symbol, "__name__", "")}
        ),
        credentials=credentials,
        findings=(*_contract(symbol, bundle), *findings),
        extra={
            "priority": meta.get("priority", decorators.DEFAULT_PRIORITY),
            "singleton": program.loaded.singleton,
            "factory": decorators.role_of(symbol) == "workflow_factory",
            "operations": operations.declared_by(symbol) if isinstance(symbol, type) else [],
            **configuration,
        },
    )


def _contract(symbol: Callable[..., Any], bundle: Path) -> list[Finding]:
    if not isinstance(symbol, type) or not issubclass(symbol, BaseEntrypoint):
        return []
    core = symbol.execute_core
    if core is BaseEntrypoint.execute_core and symbol.run is BaseEntrypoint.run:
        return [
            Finding(
                severity="error",
                code="NoExecuteCore",
                subject=symbol.__name__,
                message=f"{symbol.__name__} does not implement execute_core.",
                where=_place(symbol, bundle),
                fix="Write `async def execute_core(self, *, state, thread_id, params)`; it returns final_answer.",
            )
        ]
    if core is not BaseEntrypoint.execute_core and not inspect.iscoroutinefunction(core):
        return [
            Finding(
                severity="error",
                code="NotAsynchronous",
                subject=f"{symbol.__name__}.execute_core",
                message=f"{symbol.__name__}.execute_core is no coroutine function.",
                where=_place(core, bundle),
                fix="Write `async def execute_core(…)`.",
            )
        ]
    return []


def _configuration(symbol: Callable[..., Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Return the role models and the embedding that a class declares as an attribute."""
    declared = getattr(symbol, "configuration", None)
    if not isinstance(declared, dict):
        return {}, []
    found: dict[str, Any] = {}
    try:
        if roles := declared.get("role_models"):
            found["roleModels"] = {str(role): role_model(model, role=str(role)) for role, model in roles.items()}
    except (ValueError, AttributeError) as error:
        finding = Finding(
            severity="error",
            code="WrongConfiguration",
            subject=f"{getattr(symbol, '__name__', '')}.configuration",
            message=str(error),
            fix='Write `role_models = {"solver": "gpt-4o"}`, or {"provider", "model"} in place of the name.',
        )
        return {}, [finding]
    if embedding := declared.get("embedding"):
        found["embedding"] = embedding
    return found, []


def _place(thing: Any, bundle: Path) -> str:
    try:
        path, line = Path(inspect.getfile(thing)).resolve(), inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        return ""
    return f"{path.relative_to(bundle.resolve())}:{line}" if path.is_relative_to(bundle.resolve()) else ""


def _failure(error: BaseException, bundle: Path) -> Finding:
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(bundle.resolve()):
            where = f"{path.relative_to(bundle.resolve())}:{frame.lineno}"
    if isinstance(error, NoWorkflowFound):
        return Finding(severity="error", code="WorkflowNotFound", subject=bundle.name, message=str(error), where=where)
    message = f"{type(error).__name__}: {error}"
    return Finding(severity="error", code="LoadFailed", subject=bundle.name, message=message, where=where)
