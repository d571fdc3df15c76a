"""A manifest for people."""

import textwrap
from collections.abc import Iterable

from botyard.inspection.manifest import Credential, Manifest

_WIDTH = 100
_LABEL = 14


def text(manifest: Manifest) -> str:
    """Return the manifest as a page of text."""
    lines = [f"{manifest.name or '(no name)'}{f' {manifest.version}' if manifest.version else ''}"]
    entry = manifest.entrypoint
    lines += _row("model", [manifest.model or "unknown"])
    if entry.module:
        lines += _row("entry point", [f"{entry.module}:{entry.symbol}" if entry.symbol else entry.module])
    if machine := manifest.machine:
        lines += _row(f"{len(machine.states)} states", [", ".join(machine.states)])
        steps = [
            f"{step.source} -> {step.dest or step.source}"
            + (f" if {' and '.join(step.conditions).replace('!', 'not ')}" if step.conditions else "")
            + (f" on {step.trigger}" if step.trigger != "next" else "")
            for step in machine.transitions
        ]
        lines += _row("transitions", steps)
        if machine.variables is not None:
            lines += _row("variables", [", ".join(machine.variables.get("properties", {})) or "none"])
        else:
            lines += _row("variables", ["a dict"])
        if machine.plugins:
            lines += _row("plugins", [", ".join(machine.plugins)])
    lines += _workflow(manifest)
    lines += _row("credentials", [_credential(each) for each in manifest.credentials] or ["none found"])
    lines += ["", *_findings(manifest)]
    return "\n".join(lines) + "\n"


def _workflow(manifest: Manifest) -> list[str]:
    """Return what only workflow bundles have."""
    lines = []
    if operations := manifest.extra.get("operations"):
        lines += _row("operations", [", ".join(operations)])
    if roles := manifest.extra.get("roleModels"):
        lines += _row("role models", [f"{role}: {model['model']}" for role, model in roles.items()])
    if embedding := manifest.extra.get("embedding"):
        lines += _row("embedding", [str(embedding.get("model") if isinstance(embedding, dict) else embedding)])
    return lines


def _row(label: str, values: Iterable[str]) -> list[str]:
    lines = [
        piece
        for value in values
        for piece in textwrap.wrap(value, _WIDTH - _LABEL, break_long_words=False, subsequent_indent="  ") or [""]
    ]
    heads = [label, *[""] * (len(lines) - 1)]
    return [f"  {head:{_LABEL}}{line}".rstrip() for head, line in zip(heads, lines, strict=True)]


def _credential(credential: Credential) -> str:
    need = "required" if credential.required else "optional"
    if credential.default is not None:
        need += f", otherwise {credential.default!r}"
    return f"{credential.name} ({need}; {credential.where})"


def _findings(manifest: Manifest) -> list[str]:
    if not manifest.findings:
        return ["No findings."]
    lines = []
    for finding in manifest.findings:
        place = f"{finding.where}: " if finding.where else ""
        lines.append(f"{place}{finding.severity}: {finding.message} [{finding.code}]")
        if finding.fix:
            lines.append(f"    {finding.fix}")
    return lines
