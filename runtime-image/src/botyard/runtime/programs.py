"""The programming models that a worker can run, and how the one of a bundle is told."""

import ast
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botyard.contract.bot import Entrypoint, ProgrammingModel
from botyard.program import Program

_IMPORTS: dict[str, ProgrammingModel] = {
    "botyard.fsm": "fsm",
    "jb_manager_bot": "fsm",
    "botyard.loop": "loop",
    "flexus_client_kit": "loop",
    "botyard.workflow": "workflow",
    "kdcube_ai_app": "workflow",
}
"""What a bundle imports tells its model."""


class LoadError(Exception):
    """The bundle cannot be loaded; the message says what to change."""


def detect(bundle: Path) -> ProgrammingModel:
    """Return the programming model of a bundle by what its code imports, without running it.

    Raises:
        LoadError: None or several models were found; the message names the files.
    """
    found: dict[ProgrammingModel, str] = {}
    for path in sorted(bundle.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes(), filename=str(path.relative_to(bundle)))
        except SyntaxError as error:
            raise LoadError(f"{error.filename}:{error.lineno}: {error.msg}") from error
        for module in _imported(tree):
            for prefix, model in _IMPORTS.items():
                if module == prefix or module.startswith(f"{prefix}."):
                    found.setdefault(model, str(path.relative_to(bundle)))
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise LoadError(
            f"no bot found: no file imports one of {', '.join(_IMPORTS)}; set spec.entrypoint.model and module"
        )
    places = ", ".join(f"{model} ({path})" for model, path in found.items())
    raise LoadError(f"several programming models found: {places}; set spec.entrypoint.model to one of them")


def _imported(tree: ast.AST) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    return modules


def load(
    bundle: Path,
    entrypoint: Entrypoint,
    *,
    credentials: Mapping[str, str],
    config: Mapping[str, Any],
    namespace: str = "",
) -> tuple[ProgrammingModel, Program]:
    """Import a bundle and return its model and program.

    Args:
        bundle: Folder of the unpacked artifact.
        entrypoint: Where the bot is found; empty parts are found by inspection.
        credentials: The bundle's own credentials by name.
        config: Free-form properties of the Bot.
        namespace: The Bot's; loop bots know it as their workspace.

    Raises:
        LoadError: The bundle holds no bot that can be run; the message says what to change.
        Exception: Whatever the bundle's code raises when it is imported.
    """
    model = entrypoint.model if entrypoint.model != "auto" else detect(bundle)
    if model == "fsm":
        from botyard.fsm.program import FsmProgram

        return model, FsmProgram.load(bundle, entrypoint.module, entrypoint.symbol, credentials, config)
    if model == "loop":
        from botyard.loop.program import LoopProgram

        # Bots of this model read their keys from the environment.
        os.environ.update(credentials)
        return model, LoopProgram.load(bundle, entrypoint.module, entrypoint.symbol, namespace=namespace, config=config)
    from botyard.workflow.program import WorkflowProgram

    # Bots of this model read their keys from the environment.
    os.environ.update(credentials)
    return model, WorkflowProgram.load(bundle, entrypoint.module, entrypoint.symbol, config=config, namespace=namespace)


def serve_alone(program: Program, alone: bool = True) -> None:
    """Tell a program whether its process is there for it alone."""
    if (tell := getattr(program, "serve_alone", None)) is not None:
        tell(alone)
