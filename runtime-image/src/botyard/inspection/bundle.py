"""Inspects a bundle of any programming model; of the models, only the bundle's own is imported."""

import tomllib
from pathlib import Path

from botyard.contract.bot import Entrypoint
from botyard.inspection.credentials import find_credentials, parse
from botyard.inspection.manifest import Finding, Manifest
from botyard.runtime.programs import LoadError, detect


def inspect_bundle(bundle: Path, entrypoint: Entrypoint | None = None) -> tuple[Manifest, str | None]:
    """Return a bundle's manifest and, where it is a machine, its Mermaid diagram.

    Imports the bundle's code: do so only where that may do no harm.

    Args:
        bundle: Folder of the unpacked bundle.
        entrypoint: Where the bot is; what is left empty is looked for.
    """
    manifest, diagram = _inspected(bundle, entrypoint or Entrypoint())
    count = _scenarios(bundle)
    return manifest.model_copy(update={"extra": {**manifest.extra, "scenarios": count}} if count else {}), diagram


def _scenarios(bundle: Path) -> int:
    if not (bundle / "scenarios").is_dir():
        return 0
    from botyard.scenario.files import scenario_files

    return len(scenario_files(bundle))


def _inspected(bundle: Path, entrypoint: Entrypoint) -> tuple[Manifest, str | None]:
    credentials = find_credentials(parse(bundle))
    try:
        model = entrypoint.model if entrypoint.model != "auto" else detect(bundle)
    except LoadError as error:
        return Manifest(entrypoint=entrypoint, credentials=credentials, findings=(_undetected(error),)), None
    if model == "loop":
        from botyard.inspection.loop import describe_loop

        return describe_loop(bundle, entrypoint, credentials), None
    if model == "workflow":
        from botyard.inspection.workflow import describe_workflow

        manifest = describe_workflow(bundle, entrypoint, credentials)
        return manifest if manifest.version else _with_version(manifest, bundle), None
    from botyard.inspection.machine import describe_machine

    manifest, machine = describe_machine(bundle, entrypoint, credentials)
    manifest = manifest if manifest.version else _with_version(manifest, bundle)
    return manifest, machine.diagram() if machine is not None else None


def _undetected(error: LoadError) -> Finding:
    syntax = error.__cause__
    if isinstance(syntax, SyntaxError):
        return Finding(
            severity="error",
            code="SyntaxError",
            subject=str(syntax.filename),
            message=syntax.msg,
            where=f"{syntax.filename}:{syntax.lineno}",
            fix="Correct this line.",
        )
    return Finding(
        severity="error",
        code="UnknownModel",
        subject="entrypoint",
        message=str(error),
        fix="Import the package of one model in the bot's module, or name model and module in spec.entrypoint.",
    )


def _with_version(manifest: Manifest, bundle: Path) -> Manifest:
    return manifest.model_copy(update={"version": _project_version(bundle)})


def _project_version(bundle: Path) -> str:
    """Return the version of the bundle's `pyproject.toml`, or an empty text."""
    try:
        project = tomllib.loads((bundle / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return ""
    return str(project.get("version", "")) if isinstance(project, dict) else ""
