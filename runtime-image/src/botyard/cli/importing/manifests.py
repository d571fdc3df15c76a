"""From a registry of bundles to manifests. Everything here is pure but the reading of folders."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from botyard.contract import names
from botyard.workflow.bundle_spec import Bundles, BundleSpec

MAX_INLINE = 512 * 1024
"""Bytes of a bundle that is written into its manifest; a Bundle takes no more."""
MAX_FILES = 32
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
ANNOTATION = f"{names.GROUP}/bundle-id"
"""On both objects: the bundle's id in the registry."""
PLACEHOLDER = "REPLACE-ME"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TAG = re.compile(r"v?\d+(\.\d+)*([-+.].*)?")
_LEFT_OUT = frozenset({"__pycache__", ".git", ".venv", "node_modules"})


@dataclass(slots=True)
class Imported:
    """Manifests, and what a person must know of them."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was assumed."""
    problems: list[str] = field(default_factory=list)
    """What could not be taken over."""


def imported(bundles: Bundles, *, namespace: str = "", with_secrets: bool = False) -> Imported:
    """Return the manifests of a registry: a Bundle and a Bot for each of its bundles.

    Args:
        bundles: The registry.
        namespace: Of all objects; empty: none is written.
        with_secrets: Write the credentials of addresses into Secrets, in place of stand-ins.
    """
    result = Imported()
    taken: dict[str, str] = {}
    for spec in bundles.bundles.values():
        name = names.bot_name_of(spec.id)
        if not name or name in taken:
            clash = f"{taken[name]!r} is called so, too" if name else "nothing of its id can stand in a name"
            result.problems.append(f"{spec.id!r}: no Bot can be named after it: {clash}")
            continue
        source = _source(spec, name, result, namespace=namespace, with_secrets=with_secrets)
        if source is None:
            continue
        taken[name] = spec.id
        metadata = _metadata(name, spec, namespace)
        entrypoint: dict[str, Any] = {"model": "workflow"}
        if module := source.pop("module", spec.module):
            entrypoint["module"] = module
        result.documents.append(_object("Bundle", metadata, {**source, "entrypoint": entrypoint}))
        bot: dict[str, Any] = {"bundleRef": {"name": name}}
        if spec.id == bundles.default_id:
            bot["default"] = True
        result.documents.append(_object("Bot", metadata, bot))
        if spec.singleton:
            result.notes.append(
                f"{spec.id!r}: `singleton` is what its decorator says: @agentic_workflow(singleton=True)"
            )
    return result


def _source(
    spec: BundleSpec, name: str, result: Imported, *, namespace: str, with_secrets: bool
) -> dict[str, Any] | None:
    """Return the part of a Bundle's spec that says where its code is."""
    if spec.git_url:
        return _git(spec, name, result, namespace=namespace, with_secrets=with_secrets)
    path = Path(spec.path or "")
    files = _inline(path)
    if isinstance(files, str):
        result.problems.append(f"{spec.id!r}: {files}; put it into a git repository, and name that as `git_url`")
        return None
    result.notes.append(f"{spec.id!r}: the code of {path} is in the manifest; later changes there do not follow")
    source: dict[str, Any] = {"inline": {"files": files}}
    if path.is_file():
        source["module"] = path.stem
    return source


def _git(spec: BundleSpec, name: str, result: Imported, *, namespace: str, with_secrets: bool) -> dict[str, Any]:
    url, login = _without_login(spec.git_url or "")
    git: dict[str, Any] = {"url": url}
    if spec.git_ref:
        kind = _kind_of(spec.git_ref)
        git["ref"] = {kind: spec.git_ref}
        if kind == "tag":
            result.notes.append(f"{spec.id!r}: git_ref {spec.git_ref!r} is taken for a tag; a branch is `ref.branch`")
    else:
        result.notes.append(f"{spec.id!r}: without git_ref its Bundle follows the branch main")
    if login is not None or not url.startswith(("http://", "https://")):
        secret = f"{name}-git"
        git["secretRef"] = {"name": secret}
        data = {"identity": "", "known_hosts": ""} if login is None else {"username": login[0], "password": login[1]}
        written = with_secrets and login is not None
        data = data if written else dict.fromkeys(data, PLACEHOLDER)
        metadata = {"name": secret} | ({"namespace": namespace} if namespace else {})
        result.documents.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        if not written:
            result.notes.append(f"{spec.id!r}: write {' and '.join(data)} into the Secret {secret}")
    source: dict[str, Any] = {"git": git}
    if spec.git_subdir:
        source["path"] = spec.git_subdir.strip("/")
    return source


def _kind_of(ref: str) -> str:
    if _COMMIT.fullmatch(ref):
        return "commit"
    return "tag" if _TAG.fullmatch(ref) else "branch"


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return an address without credentials, and those: user and password; a user alone is a token."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return url, None
    login, _, host = parts.netloc.rpartition("@")
    user, found, password = login.partition(":")
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, (unquote(user), unquote(password)) if found else ("x-access-token", unquote(user))


def _inline(path: Path) -> dict[str, str] | str:
    """Return the text files of a bundle by their names in it, or why they cannot be in a manifest."""
    if not path.exists():
        return f"there is no {path} here"
    if path.is_file() and path.suffix != ".py":
        return f"{path.name} is an archive"
    root = path.parent if path.is_file() else path
    found = [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
    files: dict[str, str] = {}
    for each in found:
        inside = each.relative_to(root)
        if not _LEFT_OUT.isdisjoint(inside.parts) or each.suffix == ".pyc":
            continue
        if not _FILE_NAME.fullmatch(inside.as_posix()):
            return f"{inside} cannot be the name of a file in a manifest"
        try:
            files[inside.as_posix()] = each.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            return f"{inside} is no text"
        if len(files) > MAX_FILES or sum(len(text.encode()) for text in files.values()) > MAX_INLINE:
            return f"{path} holds more than {MAX_FILES} files or {MAX_INLINE} bytes"
    return files


def _metadata(name: str, spec: BundleSpec, namespace: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "annotations": {ANNOTATION: spec.id}}
    return metadata | ({"namespace": namespace} if namespace else {})


def _object(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": dict(metadata), "spec": spec}
