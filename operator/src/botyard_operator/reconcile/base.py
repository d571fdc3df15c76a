"""What the control loop and a reconciler know of each other.

The loop calls `await reconciler.reconcile(key, ctx)` for a dirty key, never twice at once for the same key.
The reconciler reads the caches, writes what differs and returns. It keeps no state between calls that it
could not rebuild, because a standby may take over at any moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from botyard_operator.settings import Settings

JsonObject = dict[str, Any]
"""A Kubernetes object as the API serves it."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What is reconciled: an object, or one of the aggregates that the operator keeps (`Routes`)."""

    kind: str
    """`Bundle`, `Bot`, `Persona`, a watched kind such as `Secret`, or an aggregate such as `Routes`."""
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a reconcile that did not fail."""

    requeue_after: float | None = None
    """Seconds until the key is reconciled again without any event; None: only when something changes."""


class RetryLater(Exception):
    """Raised by a reconciler (or the API client) when trying again helps: the queue backs off and retries."""


class ApiError(Exception):
    """The API server refused a request in a way that sending it again does not change."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status."""
        self.reason = reason
        """The API's own word, for instance `Forbidden` or `Invalid`."""
        self.message = message


class ReadCaches(Protocol):
    """The latest known state of the cluster, as a reconciler reads it."""

    def get(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """Return the object, trimmed of what no reconciler reads, or None when it does not exist."""

    def list(self, kind: str, namespace: str | None = None) -> Iterable[JsonObject]:
        """Return all objects of a kind, of one namespace or of all."""

    def children(self, owner: Key, kind: str) -> Iterable[JsonObject]:
        """Return the objects of `kind` that carry `owner`'s Bot label."""

    def keys(self, kind: str) -> Iterable[Key]:
        """Return the keys of all objects of a kind."""

    def version(self, key: Key) -> int | None:
        """Return the resource version of a held object, or None when it is not held."""

    def changed_at(self, key: Key) -> str | None:
        """Return when a mounted ConfigMap last changed, as its annotation has it; None: not since pods mounted it."""

    def dependents(self, target: Key) -> Iterable[Key]:
        """Return the keys whose specs refer to `target` (a Secret, ConfigMap, Bundle or Bot)."""


class Kube(Protocol):
    """The API server, for writes and for the few reads that the caches do not hold."""

    async def apply(self, obj: JsonObject, *, force: bool = True) -> JsonObject:
        """Server-side apply `obj` with the field manager `botyard`.

        With `force`, fields that others have set are taken over; without, they are an `ApiError` with status 409.
        """

    async def patch_status(self, current: JsonObject, status: JsonObject) -> bool:
        """Bring the status of `current` to `status`; fields left out are removed.

        Returns:
            Whether anything differed and was written.
        """

    async def config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return the data of a ConfigMap, from the cache where it is held; None: it does not exist."""

    async def patch_metadata(self, key: Key, metadata: JsonObject) -> None:
        """Merge `metadata` (for instance finalizers or annotations) into an object."""

    async def delete(self, key: Key, *, uid: str | None = None) -> None:
        """Delete an object (in the background); one that is gone already is no error."""

    async def get(self, key: Key) -> JsonObject | None:
        """Read one object from the API server, past the caches."""

    async def select(self, kind: str, namespace: str, labels: Mapping[str, str]) -> Sequence[JsonObject]:
        """Read the objects of a namespace that have these labels from the API server, past the caches."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return the decoded data of a Secret, from the cache where it is held; None: it does not exist."""


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> datetime:
        """Return the current time in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""


EventType = Literal["Normal", "Warning"]


class Enqueue(Protocol):
    """Marks keys dirty."""

    def __call__(self, key: Key, delay: float = 0.0) -> None:
        """Reconcile `key` in `delay` seconds, or earlier when it is due earlier already."""


class Recorder(Protocol):
    """Kubernetes Events. Call it on transitions only; writing happens later and never fails a reconcile."""

    def event(self, obj: JsonObject, type_: EventType, reason: str, message: str) -> None:
        """Record an Event about `obj`."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a reconciler may use."""

    caches: ReadCaches
    kube: Kube
    settings: Settings
    clock: Clock
    recorder: Recorder
    enqueue: Enqueue
    """Marks another key dirty."""


class Reconciler(Protocol):
    """Brings one kind of key from observed to desired state."""

    async def reconcile(self, key: Key, ctx: Context) -> Result:
        """Reconcile `key` once. An object that is gone is no error.

        Raises:
            RetryLater: what failed may succeed later; the key comes back after a growing pause.
        """
