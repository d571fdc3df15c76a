"""Imports a bundle in a child process with limits, and judges the manifest that comes back."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from botyard.bundle_build.processes import Log, run
from botyard.contract.build import MAX_REPORT_BYTES, BuildFailure, BuildRequest
from botyard.inspection.manifest import Finding, Manifest

_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_FILE_BYTES = 256 * 1024 * 1024
_MAX_MANIFEST = 800_000
"""Bytes of a manifest: it has to fit into a ConfigMap."""
_REASONS = {"SyntaxError": "SyntaxError", "LoadFailed": "ImportFailed", "UnknownModel": "ModelUnknown"}


def inspect(
    request: BuildRequest, bundle: Path, layer: Path, work: Path, log: Log
) -> tuple[dict[str, Any] | None, BuildFailure | None]:
    """Return the manifest, and why the bundle cannot be used, where that is so.

    Args:
        request: What is built.
        bundle: Folder of the unpacked bundle.
        layer: Its installed dependencies; may not exist.
        work: A folder for temporary files.
        log: The build's log; gets what the bundle prints.
    """
    log.line("Importing the bundle")
    with tempfile.TemporaryFile() as answer:
        ended = run(
            [
                sys.executable,
                "-m",
                "botyard.bundle_build.inspect_child",
                str(bundle),
                request.entrypoint.to_json(),
                str(answer.fileno()),
                str(layer),
            ],
            cwd=work,
            env=_environment(work),
            seconds=request.limits.inspect_seconds,
            log=log,
            memory_bytes=_MEMORY_BYTES,
            file_bytes=_FILE_BYTES,
            pass_fds=(answer.fileno(),),
        )
        answer.seek(0)
        text = answer.read(MAX_REPORT_BYTES)
    if ended.timed_out:
        return None, _fail(
            "ImportTimedOut",
            f"importing the bundle took longer than {request.limits.inspect_seconds:g} s; move what waits or loops out "
            "of the module's top level",
        )
    if ended.code == -9:
        return None, _fail("OutOfMemory", "importing the bundle used more memory than the build may; load data later")
    if ended.code != 0:
        return None, _fail(
            "ImportFailed",
            f"the process that imports the bundle ended with code {ended.code}: {_tail(ended.output)}; correct "
            "the code that runs at import",
        )
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError:
        return None, _fail(
            "InspectionFailed", "the code ended the process while it was imported; remove the call of exit"
        )
    if len(text) > _MAX_MANIFEST:
        return None, _fail("InspectionFailed", f"the manifest has more than {_MAX_MANIFEST} bytes; declare less")
    for finding in manifest.findings:
        log.line(f"{finding.severity}: {_sentence(finding)}")
    return manifest.model_dump(mode="json", by_alias=True, exclude_defaults=True), judge(manifest, request, bundle)


def judge(manifest: Manifest, request: BuildRequest, bundle: Path) -> BuildFailure | None:
    """Return why a bundle with this manifest is no revision, or None."""
    errors = [finding for finding in manifest.findings if finding.severity == "error"]
    if not errors:
        return None
    first = errors[0]
    more = f" ({len(errors) - 1} more in the log)" if len(errors) > 1 else ""
    reason = _REASONS.get(first.code, "InspectionFailed")
    if first.code == "UnknownModel" and "several" in first.message:
        reason = "ModelAmbiguous"
    if first.subject == "MemoryError":
        return _fail("OutOfMemory", "importing the bundle used more memory than the build may; load data later")
    hint = ""
    missing = first.subject == "ModuleNotFoundError"
    if missing and not request.requirements and (bundle / "requirements.txt").is_file():
        hint = " Name requirements.txt in spec.dependencies.requirements: the source has it, and nothing installs it."
    elif missing:
        hint = " Name the package in a file of spec.dependencies.requirements."
    return _fail(reason, f"{_sentence(first)}{more}{hint}")


def _sentence(finding: Finding) -> str:
    where = f"{finding.where}: " if finding.where and not finding.message.startswith(finding.where) else ""
    kind = f"{finding.subject}: " if finding.code == "LoadFailed" else ""
    end = "." if finding.fix and not finding.message.endswith(".") else ""
    return f"{where}{kind}{finding.message}{end} {finding.fix}".strip()


def _fail(reason: str, message: str) -> BuildFailure:
    return BuildFailure(stage="inspect", reason=reason, message=message)


def _tail(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "it said nothing"


def _environment(work: Path) -> dict[str, str]:
    home = work / "home"
    home.mkdir(exist_ok=True)
    passed = {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(work),
        "PYTHONDONTWRITEBYTECODE": "1",
        **passed,
    }
