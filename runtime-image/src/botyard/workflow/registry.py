"""The registry of bundles of this process: what AGENTIC_BUNDLES_JSON declares, or a host sets."""

import asyncio
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from botyard.workflow import git_bundles
from botyard.workflow.bundle_spec import Bundles, BundleSpec, parse, registry_of
from botyard.workflow.content import content_digest
from botyard.workflow.errors import GitBundleError, RegistryError
from botyard.workflow.git_bundles import GitBundlePaths
from botyard.workflow.git_settings import GitSettings
from botyard.workflow.loader import evict_inactive_specs

log = logging.getLogger("botyard.workflow")

VARIABLE = "AGENTIC_BUNDLES_JSON"

_lock = threading.RLock()
_bundles = Bundles({}, None)
_redeclared: set[str] = set()
"""Bundles from git that were declared since they were fetched last: what they mean may have changed."""


def load_from_env() -> dict[str, BundleSpec]:
    """Take over what AGENTIC_BUNDLES_JSON declares: the JSON, or the path of a file that holds it.

    Raises:
        RegistryError: It cannot be used; the registry stays as it was.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if text and not text.startswith("{") and not text.startswith("#") and Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8")
    _take(parse(text) if text else Bundles({}, None))
    return get_all()


def get_all() -> dict[str, BundleSpec]:
    """Return all bundles by id."""
    return dict(_bundles.bundles)


def get_default_id() -> str | None:
    """Return the id of the bundle of requests that name none."""
    return _bundles.default_id


def set_registry(mapping: Mapping[str, Any], default_id: str | None = None) -> dict[str, BundleSpec]:
    """Replace all bundles.

    Args:
        mapping: A registry of either shape.
        default_id: The default bundle; None: as the registry says, or the first.

    Raises:
        RegistryError: It cannot be used; the registry stays as it was.
    """
    _take(registry_of(mapping, default_id))
    return get_all()


def upsert_bundles(mapping: Mapping[str, Any], default_id: str | None = None) -> dict[str, BundleSpec]:
    """Add bundles, and replace those of the same id.

    Args:
        mapping: A registry of either shape.
        default_id: The default bundle from now on; None: it stays.

    Raises:
        RegistryError: It cannot be used; the registry stays as it was.
    """
    with _lock:
        added = registry_of(mapping)
        told = mapping.get("default_bundle_id") if isinstance(mapping.get("bundles"), Mapping) else None
        merged = {**_bundles.bundles, **added.bundles}
        wanted = default_id or told or _bundles.default_id
        if wanted and wanted not in merged:
            raise RegistryError(f"default_bundle_id {wanted!r} is not among the bundles: {', '.join(merged)}")
        _take(Bundles(merged, wanted or next(iter(merged), None)))
    return get_all()


async def resolve_bundle(id: str | None = None) -> BundleSpec | None:  # noqa: A002 - the registry's own word
    """Return a bundle with the path at which it is now; from git it is fetched first, in a thread.

    Args:
        id: Of the bundle; None: the default one.

    Returns:
        The bundle; None where there is none of that id: no other one answers in its place.

    Raises:
        GitBundleError: It cannot be had from git, and was not there before.
    """
    return await asyncio.to_thread(resolve_blocking, id)


def resolve_blocking(id: str | None = None) -> BundleSpec | None:  # noqa: A002
    """Do as `resolve_bundle` does, in this thread."""
    spec = _bundles.bundles.get(id or _bundles.default_id or "")
    if spec is None or not spec.git_url:
        return spec
    refresh = GitSettings.from_env().always_pull or spec.id in _redeclared
    try:
        paths = _fetched(spec, refresh=refresh)
    except GitBundleError as error:
        if not refresh:
            raise
        paths = _kept(spec, error)
    git_bundles.use(paths.repo_root)
    _redeclared.discard(spec.id)
    if str(paths.bundle_root) == spec.path and paths.commit == spec.git_commit:
        return spec
    found = replace(
        spec, path=str(paths.bundle_root), git_commit=paths.commit, version=content_digest(paths.bundle_root)
    )
    with _lock:
        if _bundles.bundles.get(spec.id) == spec:
            _set(Bundles({**_bundles.bundles, spec.id: found}, _bundles.default_id))
    return found


def _fetched(spec: BundleSpec, *, refresh: bool) -> GitBundlePaths:
    return git_bundles.ensure_git_bundle(
        bundle_id=spec.id,
        git_url=spec.git_url or "",
        git_ref=spec.git_ref,
        git_subdir=spec.git_subdir,
        refresh=refresh,
    )


def _kept(spec: BundleSpec, error: GitBundleError) -> GitBundlePaths:
    """Return what an earlier fetch left, where this one failed.

    Raises:
        GitBundleError: There is nothing.
    """
    if git_bundles.existing(spec.id, spec.git_ref) is None:
        raise error
    log.warning("bundle %s stays as it is: %s", spec.id, error)
    return _fetched(spec, refresh=False)


def _take(bundles: Bundles) -> None:
    """Take over a registry, at once for everybody who asks from now on; git is asked when a bundle is resolved."""
    with _lock:
        declared = {}
        for name, spec in bundles.bundles.items():
            declared[name] = _derived(spec) if spec.git_url else spec
            if spec.git_url:
                _redeclared.add(name)
        _set(Bundles(declared, bundles.default_id))


def _derived(spec: BundleSpec) -> BundleSpec:
    """Return a bundle from git at the path that follows from its id and ref, whatever path is written beside them."""
    root = git_bundles.existing(spec.id, spec.git_ref)
    paths = git_bundles.compute_git_bundle_paths(
        bundle_id=spec.id, git_ref=spec.git_ref, git_subdir=spec.git_subdir, repo_root=root
    )
    return replace(spec, path=str(paths.bundle_root))


def _set(bundles: Bundles) -> None:
    global _bundles
    _bundles = bundles
    evict_inactive_specs(active_specs=[spec.loadable() for spec in bundles.bundles.values()])
