"""Which of a remote's refs a Bundle's ref means: the one of that name, or the tag with the highest version in a range.

Ranges are written as npm has them (`>=1.2.0 <2.0.0`, `^1.4`, `~1.2`, `1.x`, `1.0 - 2.0`, `||`); commas mean the same as
spaces. A pre-release is only taken by a range that names one of the same version.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from semantic_version import NpmSpec, Version

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Ref

_TAGS = "refs/tags/"
_PEELED = "^{}"
_VERSION = re.compile(r"[vV]?(?P<core>\d{1,9}(?:\.\d{1,9}){0,2})(?P<rest>(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)")


@dataclass(frozen=True, slots=True)
class Found:
    """What a ref names on the remote."""

    commit: str
    object: str
    """The tag object of an annotated tag; else the commit."""
    name: str
    """Short name of the branch or tag."""


def find_ref(ref: Ref, refs: Mapping[str, str]) -> Found | None:
    """Return what a branch, tag or range means, or None when nothing there matches.

    Args:
        ref: what the Bundle follows.
        refs: object ids by full name, as ls-remote prints them: an annotated tag's commit under its name and `^{}`.

    Raises:
        FetchError: RangeInvalid.
    """
    name = ref.name if ref.kind != "semver" else _highest(ref.name, refs)
    full_name = f"{_TAGS}{name}" if ref.kind == "semver" else ref.full_name
    named = refs.get(full_name)
    return Found(refs.get(f"{full_name}{_PEELED}", named), named, name) if named else None


def check_range(text: str) -> None:
    """Refuse a range that cannot be read.

    Raises:
        FetchError: RangeInvalid.
    """
    _read_range(text)


def _highest(text: str, refs: Mapping[str, str]) -> str:
    """Return the tag with the highest version; of two names for one version the last in alphabetical order."""
    wanted = _read_range(text)
    tags = (name.removeprefix(_TAGS) for name in refs if name.startswith(_TAGS) and not name.endswith(_PEELED))
    versions = ((version, tag) for tag in tags if (version := _read_version(tag)) is not None)
    matching = [(version.precedence_key, tag) for version, tag in versions if wanted.match(version)]
    return max(matching)[1] if matching else ""


def _read_range(text: str) -> NpmSpec:
    try:
        return NpmSpec(re.sub(r"(?<=[<>=~^])\s+", "", re.sub(r"\s*,\s*", " ", text.strip())))
    except ValueError:
        raise FetchError(
            Reason.RANGE_INVALID,
            f"spec.git.ref.semver {text!r} is no range of versions; write for instance >=1.2.0 <2.0.0, ^1.4 or 1.x.",
        ) from None


def _read_version(tag: str) -> Version | None:
    match = _VERSION.fullmatch(tag)
    if match is None:
        return None
    core = ".".join(str(int(part)) for part in [*match["core"].split("."), "0", "0"][:3])
    try:
        return Version(f"{core}{match['rest']}")
    except ValueError:
        return None
