"""BundleSpec: one entry of a registry of bundles; and the text in which registries are written."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from botyard.workflow.errors import RegistryError
from botyard.workflow.loader import AgenticBundleSpec

ALIASES: Mapping[str, str] = {
    "git_repo": "git_url",
    "bundle_version": "version",
    "bundle_commit": "git_commit",
    "git_branch": "git_ref",
    "bundle_id": "id",
}
"""Other names of members, as registries write them."""
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_TRUE = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class BundleSpec:
    """Where a bundle is. Its members can also be read as items: `spec["path"]`."""

    id: str
    name: str | None = None
    path: str | None = None
    """Folder or file; follows from git where `git_url` is set."""
    module: str | None = None
    singleton: bool = False
    version: str | None = None
    """Digest of the content, where it is known."""
    git_url: str | None = None
    git_ref: str | None = None
    """Branch, tag or commit."""
    git_subdir: str | None = None
    git_commit: str | None = None
    """Commit that is checked out, where it is known."""

    @classmethod
    def of(cls, id: str, given: "BundleSpec | Mapping[str, Any]") -> "BundleSpec":  # noqa: A002 - the registry's own word
        """Return an entry of a registry.

        Args:
            id: The key under which it is.
            given: Its members; unknown ones are passed over.

        Raises:
            RegistryError: It says neither `path` nor `git_url`, or a member is of the wrong kind.
        """
        if isinstance(given, BundleSpec):
            return given
        if not isinstance(given, Mapping):
            raise RegistryError(f"bundle {id!r}: write an object with path or git_url, not {type(given).__name__}")
        members = {ALIASES.get(str(name), str(name)): value for name, value in given.items()}
        known = {field.name: members.get(field.name) for field in fields(cls)}
        texts = {name: _text(id, name, value) for name, value in known.items() if name not in ("id", "singleton")}
        spec = cls(_text(id, "id", known["id"]) or id, singleton=_flag(known["singleton"]), **texts)
        if not spec.path and not spec.git_url:
            raise RegistryError(f"bundle {id!r} says neither path nor git_url")
        return spec

    def at(self, path: str, *, commit: str | None = None) -> "BundleSpec":
        """Return the same bundle at another path."""
        return replace(self, path=path, git_commit=commit or self.git_commit)

    def loadable(self) -> AgenticBundleSpec:
        """Return what the loader takes."""
        return AgenticBundleSpec(path=self.path or "", module=self.module, singleton=self.singleton, id=self.id)

    def to_dict(self) -> dict[str, Any]:
        """Return the members that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __getitem__(self, name: str) -> Any:
        if name in self.__slots__:
            return getattr(self, name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self.__slots__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__slots__)

    def keys(self) -> tuple[str, ...]:
        """Return the names of all members."""
        return tuple(self.__slots__)

    def get(self, name: str, otherwise: Any = None) -> Any:
        """Return a member, or `otherwise` where it is not set."""
        found = getattr(self, name, None) if name in self.__slots__ else None
        return otherwise if found is None else found


@dataclass(frozen=True, slots=True)
class Bundles:
    """The content of a registry."""

    bundles: Mapping[str, BundleSpec]
    default_id: str | None
    """The bundle of requests that name none."""


def parse(text: str) -> Bundles:
    """Return a registry that is written as JSON, in which comments (`#`, `//`) may stand.

    Raises:
        RegistryError: It is none; the message names the entry at fault.
    """
    try:
        content = json.loads(without_comments(text))
    except ValueError as error:
        raise RegistryError(f"the registry of bundles is not JSON: {error}") from None
    return registry_of(content)


def registry_of(content: Any, default_id: str | None = None) -> Bundles:
    """Return a registry of either shape: {id: bundle}, or {default_bundle_id, bundles: {id: bundle}}.

    Args:
        content: The registry.
        default_id: The default bundle, where the registry says none; without either it is the first.

    Raises:
        RegistryError: It is none; the message names the entry at fault.
    """
    if not isinstance(content, Mapping):
        raise RegistryError("the registry of bundles must be an object")
    entries: Any = content
    if isinstance(content.get("bundles"), Mapping | list):
        entries = content["bundles"]
        default_id = content.get("default_bundle_id") or default_id
    if isinstance(entries, list):
        entries = {
            str(entry.get("id") if isinstance(entry, Mapping) else index): entry for index, entry in enumerate(entries)
        }
    named = ((key, value) for key, value in entries.items() if key not in ("default_bundle_id", "bundles"))
    bundles = {spec.id: spec for spec in (BundleSpec.of(str(key), value) for key, value in named)}
    if default_id and default_id not in bundles:
        known = ", ".join(bundles) or "none"
        raise RegistryError(f"default_bundle_id {default_id!r} is not among the bundles: {known}")
    return Bundles(bundles, default_id or next(iter(bundles), None))


def without_comments(text: str) -> str:
    """Return JSON without comments and without commas before a closing bracket."""
    bare = _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else "", text)
    return _TRAILING_COMMA.sub(lambda found: found[1] or "", bare)


def _text(bundle: str, name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise RegistryError(f"bundle {bundle!r}: {name} must be a text, not {type(value).__name__}")


def _flag(value: Any) -> bool:
    return value.strip().lower() in _TRUE if isinstance(value, str) else bool(value)
