"""Complete lists from the API server: to fill the caches before anything is watched, and to find what they missed.

A watch that has to start anew (410 Gone) tells what exists, but not what was deleted meanwhile. Comparing the caches
with a list now and then, by names and versions alone, heals that; it costs reads and never a write.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from botyard.contract import names
from botyard_operator import resources
from botyard_operator.caches import Caches
from botyard_operator.kube import KubeClient
from botyard_operator.reconcile.base import JsonObject, Key

logger = logging.getLogger(__name__)

PAGE = 100
"""Objects for each request."""

_UNINTERESTING_SECRETS = ("helm.sh/release.v1", "kubernetes.io/service-account-token")
_LABELLED = frozenset((*resources.CHILD_KINDS, resources.POD))


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    items: list[JsonObject]
    version: int
    """Resource version of the list as a whole: it shows nothing newer."""


def label_selector(resource: resources.Resource) -> str | None:
    """Return the label that objects of a kind must have to be of interest."""
    return names.LABEL_BOT if resource in _LABELLED else None


def field_selector(resource: resources.Resource) -> str | None:
    """Return the fields that objects of a kind must have to be of interest."""
    if resource is not resources.SECRET:
        return None
    return ",".join(f"type!={type_}" for type_ in _UNINTERESTING_SECRETS)


async def pages(
    kube: KubeClient, resource: resources.Resource, namespace: str | None, *, metadata_only: bool = False
) -> AsyncIterator[Page]:
    """Read a whole collection, page by page.

    Raises:
        ApiError: The operator may not list the kind, or the list took so long that it cannot be continued (410).
        RetryLater: The API server did not answer.
    """
    selectors = {"labelSelector": label_selector(resource), "fieldSelector": field_selector(resource)}
    parameters = {"limit": str(PAGE)} | {name: value for name, value in selectors.items() if value is not None}
    while True:
        answer = await kube.list(resource, namespace, metadata_only=metadata_only, **parameters)
        metadata = answer["metadata"]
        yield Page(answer.get("items") or [], int(metadata.get("resourceVersion") or 0))
        if not metadata.get("continue"):
            return
        parameters["continue"] = metadata["continue"]


async def fill(kube: KubeClient, caches: Caches, namespaces: Iterable[str]) -> None:
    """Bring everything that is watched into the caches; raises as `pages` does."""
    for resource in resources.WATCHED_KINDS:
        for namespace in tuple(namespaces) or (None,):
            async for page in pages(kube, resource, namespace):
                for item in page.items:
                    caches.put(resource.kind, item)


async def prune(kube: KubeClient, caches: Caches, namespaces: Iterable[str]) -> int:
    """Remove from the caches what no longer exists; raises as `pages` does.

    Returns:
        How many objects were removed.
    """
    removed = 0
    for resource in resources.WATCHED_KINDS:
        for namespace in tuple(namespaces) or (None,):
            existing: set[Key] = set()
            version = 0
            async for page in pages(kube, resource, namespace, metadata_only=True):
                version = page.version
                for item in page.items:
                    metadata = item["metadata"]
                    existing.add(Key(resource.kind, metadata.get("namespace", ""), metadata["name"]))
            held = [key for key in caches.keys(resource.kind) if namespace in (None, key.namespace)]
            # What is newer than the list is kept: it may have been made since.
            gone = [key for key in held if key not in existing and caches.remove(key, version)]
            removed += len(gone)
            for key in gone:
                logger.warning("a deletion was missed", extra={"kind": key.kind, "object": str(key)})
    return removed
