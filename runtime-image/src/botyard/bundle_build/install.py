"""Installs a bundle's requirements into its layer, with uv.

This runs foreign code (`setup.py`, build backends) and has therefore nothing that is worth taking: its environment is
made here, and the index is reached through the operator, which alone knows the index's credentials.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

from botyard.bundle_build.inputs import PLATFORM, constraints
from botyard.bundle_build.processes import Ended, Log, run
from botyard.bundle_build.tidy import tidy
from botyard.contract import names
from botyard.contract.build import BuildFailure, BuildRequest

_FILE_BYTES = 4 * 1024 * 1024 * 1024
_MAX_WORDS = 1500
_WORDS: tuple[tuple[str, str, bool, str], ...] = (
    # In this order: what uv says of a build may quote the words of what follows.
    (
        r"Hash mismatch|no hashes were provided|must have a hash|required to be pinned|a hash must be provided",
        "HashMismatch",
        False,
        "write the hashes of the files that the index has, for instance with `uv pip compile --generate-hashes`",
    ),
    (r"401|403 Forbidden|Missing credentials|authentication", "IndexRefused", False, "correct the Secret of the index"),
    (
        r"Request failed|Failed to fetch|error sending request|dns error|timed out|50[0-9] |502|503|504",
        "IndexUnavailable",
        True,
        "check the package index",
    ),
    (
        r"Couldn't parse|could not be parsed|Unexpected|Invalid (requirement|URL)|Failed to parse|unsupported",
        "RequirementsInvalid",
        False,
        "correct this line of the requirements file",
    ),
    (
        r"Failed to (download and )?build|Build backend failed|Failed to resolve requirements from `",
        "DependencyBuildFailed",
        False,
        "list a version that has a wheel, or correct the package's build",
    ),
    (
        r"was not found in the package registry|there are no versions|there is no version of|not found in the index|"
        r"no wheels|has no wheels|Distribution not found",
        "DependencyNotFound",
        False,
        "correct the name or the version, or add the package to the index",
    ),
    (
        r"No solution found|unsatisfiable|conflict|incompatible",
        "DependencyConflict",
        False,
        "loosen one of the named requirements",
    ),
    (r"No space left on device", "DiskFull", True, "enlarge the node's ephemeral storage, or list fewer packages"),
)


def install(
    request: BuildRequest, bundle: Path, layer: Path, work: Path, index_url: str, log: Log
) -> BuildFailure | None:
    """Install what the bundle requires into `layer`; return why it failed, or None.

    Args:
        request: What is built.
        bundle: Folder of the unpacked bundle; foreign builds get a copy of it.
        layer: An empty folder.
        work: A folder for caches and builds.
        index_url: The package index, with the token of this build.
        log: The build's log.
    """
    copy = work / "source"
    shutil.copytree(bundle, copy, symlinks=True)
    lists = {"constraints": constraints(), "excludes": PLATFORM}
    for name, lines in lists.items():
        (work / f"{name}.txt").write_text("\n".join(lines) + "\n")
    command = [
        shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}") or "uv",
        "pip",
        "install",
        "--no-config",
        "--no-progress",
        "--color=never",
        "--link-mode=copy",
        f"--python={sys.executable}",
        f"--target={layer}",
        f"--constraints={work / 'constraints.txt'}",
        f"--excludes={work / 'excludes.txt'}",
        *(f"--requirements={name}" for name in request.requirements),
    ]
    log.line(f"Installing {', '.join(request.requirements)}")
    ended = run(
        command, cwd=copy, env=_environment(work, index_url), seconds=request.limits.install_seconds, log=log,
        file_bytes=_FILE_BYTES,
    )  # fmt: skip
    if ended.timed_out or ended.code != 0:
        return _failure(ended, request)
    return None


def compile_layer(layer: Path, work: Path, log: Log) -> None:
    """Compile the layer's modules: pods mount it read-only and would compile them at every start.

    Args:
        layer: What was installed; it is tidied first, so that equal packages are equal bytes.
        work: Where the compiler runs.
        log: The build's log.
    """
    tidy(layer)
    # What is compiled tells neither the time nor the folder: modules name themselves as pods have them.
    names_in_pods = ("-s", str(layer), "-p", names.LAYER_DIR)
    command = [
        *(sys.executable, "-I", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"),
        *names_in_pods,
        str(layer),
    ]
    ended = run(command, cwd=work, env=_environment(work, ""), seconds=300.0, log=log)
    if ended.code != 0:
        # Packages carry templates and tests that are no Python of this version; they are compiled by nobody.
        log.line("Some files of the packages cannot be compiled; that is only told.")


def packages(layer: Path) -> tuple[str, ...]:
    """Return what a layer holds, as `name==version`, sorted."""
    found = {f"{each.metadata['Name']}=={each.version}" for each in distributions(path=[str(layer)])}
    return tuple(sorted(found))[:1000]


def _environment(work: Path, index_url: str) -> dict[str, str]:
    home = work / "home"
    home.mkdir(exist_ok=True)
    passed = {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(work),
        "UV_CACHE_DIR": str(work / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_MANAGED_PYTHON": "1",
        "UV_HTTP_TIMEOUT": "60",
        "UV_DEFAULT_INDEX": index_url,
        "SOURCE_DATE_EPOCH": "315532800",
        **passed,
    }


def _failure(ended: Ended, request: BuildRequest) -> BuildFailure:
    if ended.timed_out:
        return BuildFailure(
            stage="install",
            reason="BuildTimedOut",
            message=f"the installation took longer than {request.limits.install_seconds:g} s: "
            f"{_last(ended.output)}; list packages that have wheels, or fewer of them",
        )
    if ended.code == -9 or ended.code == 137:
        return BuildFailure(
            stage="install", reason="OutOfMemory", message="the installation was killed, most likely for its memory"
        )
    words = _said(ended.output)
    reason, retryable, fix = next(
        (row[1:] for row in _WORDS if re.search(row[0], words)), ("BuildFailed", False, "read the build's log")
    )
    files = ", ".join(request.requirements)
    return BuildFailure(stage="install", reason=reason, message=f"{files}: {words}; {fix}", retryable=retryable)


def _said(output: str) -> str:
    """Return uv's own words without what it shows before them."""
    lines = output.splitlines()
    start = next((number for number, line in enumerate(lines) if re.match(r"\s*error:", line)), 0)
    return _short(_joined(lines[start:]))


def _last(output: str) -> str:
    return _short(_joined(output.splitlines()[-3:]))


def _joined(lines: Iterable[str]) -> str:
    def parts() -> Iterator[str]:
        for line in lines:
            text = re.sub(r"^\s*(error:|cause:|hint:)\s*", "", line).strip()
            if text:
                yield text

    return " ".join(parts())


def _short(text: str) -> str:
    return text if len(text) <= _MAX_WORDS else f"{text[: _MAX_WORDS // 2]} … {text[-_MAX_WORDS // 2 :]}"
