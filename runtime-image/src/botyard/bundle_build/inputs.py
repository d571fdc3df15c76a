"""The identity of a layer: a digest over everything that it is made from."""

import hashlib
import json
import re
import sys
import sysconfig
import tomllib
from importlib.metadata import requires
from pathlib import Path

from botyard.contract.build import FORMAT

PLATFORM = ("botyard", "botyard-operator", "jb-manager-bot", "jb_manager_bot", "flexus-client-kit", "kdcube-ai-app")
"""What the runtime image brings and no package index may replace; bots list some of them as requirements."""

_INCLUDE = re.compile(r"^(?:-r|--requirement|-c|--constraint)[ =]*(?P<path>\S+)")
_LOCAL = re.compile(
    r"^(-e|--editable|-f|--find-links)\b|^\.{0,2}/|(^|\s)@\s*(file:|\.{0,2}/)|^file:|^[^#:]*\.(whl|tar\.gz|zip)\b"
)
_MAX_FILES = 64


class RequirementsError(Exception):
    """A requirements file cannot be used; the message names it."""


def layer_inputs(bundle: Path, requirements: tuple[str, ...], *, source_digest: str, index: str) -> str:
    """Return the digest of what a layer is made from, as `sha256:…`.

    Two bundles with the same requirements share a layer, whatever else differs in them; only where a requirement is
    a file of the bundle itself does the whole source count.

    Args:
        bundle: Folder of the unpacked bundle.
        requirements: Requirements files, relative to it.
        source_digest: Digest of the source.
        index: Tells package indexes apart.

    Raises:
        RequirementsError: A file is missing, leaves the bundle, or cannot be read.
    """
    seen: dict[str, str] = {}
    local = False
    waiting = list(requirements)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        if len(seen) >= _MAX_FILES:
            raise RequirementsError(f"more than {_MAX_FILES} requirements files include each other")
        text = _read(bundle, name)
        seen[name] = text
        if name.endswith(".toml"):
            local = local or _is_dynamic(name, text)
            continue
        for line in map(str.strip, text.splitlines()):
            if match := _INCLUDE.match(line):
                waiting.append(str((Path(name).parent / match["path"]).as_posix()))
            elif _LOCAL.search(line):
                local = True
    identity = {
        "format": FORMAT,
        "python": f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}",
        "index": index,
        "order": requirements,
        "files": seen,
        "constraints": constraints(),
        "source": source_digest if local else "",
    }
    return f"sha256:{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()}"


def constraints() -> tuple[str, ...]:
    """Return the versions that the runtime needs: layers may bring newer or older packages, but none that breaks it."""
    found = [line.partition(";") for line in requires("botyard") or ()]
    return tuple(sorted(re.sub(r"\[.*?\]", "", name).strip() for name, _, marker in found if "extra" not in marker))


def _read(bundle: Path, name: str) -> str:
    path = bundle / name
    try:
        if not path.resolve(strict=True).is_relative_to(bundle.resolve()):
            raise RequirementsError(f"{name} lies outside of the bundle; put it below spec.path")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RequirementsError(f"{name} is no text in UTF-8; save it as such") from error
    except (OSError, RuntimeError) as error:
        raise RequirementsError(
            f"{name} is not in the bundle; correct spec.dependencies.requirements (its paths begin at spec.path)"
        ) from error


def _is_dynamic(name: str, text: str) -> bool:
    try:
        project = tomllib.loads(text).get("project", {})
    except ValueError as error:
        raise RequirementsError(f"{name} cannot be read: {error}") from error
    return not isinstance(project, dict) or "dependencies" in project.get("dynamic", ())
