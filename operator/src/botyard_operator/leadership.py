"""Leadership by a Lease: one process reconciles, the others stand by.

The official client has an elector too; this one differs in two ways that matter here: it gives the Lease back when the
process ends, so that an upgrade does not wait for it to run out, and it measures expiry by its own clock from the
moment it saw the Lease change, never by the other's time stamps.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from botyard_operator import resources
from botyard_operator.reconcile.base import ApiError, JsonObject, Key, RetryLater

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """Another process may lead now: this one must stop writing at once."""


class Leases(Protocol):
    """What the elector needs of the API client."""

    async def get(self, key: Key) -> JsonObject | None:
        """Read an object."""

    async def create(self, obj: JsonObject) -> JsonObject:
        """Create an object."""

    async def replace(self, obj: JsonObject) -> JsonObject:
        """Replace an object, checking its resource version."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the election."""

    lease: float = 15.0
    """How long a Lease that is not renewed is respected."""
    renew: float = 10.0
    """How long the leader tries to renew before it gives up."""
    retry: float = 2.0
    """Pause between tries."""


class Elector:
    """Takes part in the election of one Lease."""

    def __init__(
        self,
        leases: Leases,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create an elector.

        Args:
            leases: The API client.
            namespace: Namespace of the Lease.
            name: Name of the Lease.
            identity: This process; two of the same identity would both lead.
            timing: Durations of the election.
            now: Wall clock, for the time stamps that people read.
        """
        self._leases = leases
        self._key = Key("Lease", namespace, name)
        self._identity = identity
        self._timing = timing or Timing()
        self._now = now
        self._seen: str | None = None
        self._seen_at = 0.0

    async def acquire(self) -> None:
        """Return once this process leads."""
        waiting = False
        while True:
            try:
                if await self._try():
                    logger.info("leading", extra={"identity": self._identity})
                    return
            except (ApiError, RetryLater) as error:
                logger.warning("the Lease cannot be read or written: %s", error)
            if not waiting:
                logger.info("standing by", extra={"identity": self._identity})
                waiting = True
            await asyncio.sleep(self._timing.retry * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def hold(self) -> None:
        """Keep leading.

        Raises:
            LeadershipLost: The Lease could not be renewed in time, or another process took it.
        """
        renewed = _time()
        while True:
            await asyncio.sleep(self._timing.retry)
            try:
                async with asyncio.timeout(max(0.1, renewed + self._timing.renew - _time())):
                    if not await self._try():
                        raise LeadershipLost(f"Lease {self._key.name} was taken by another process")
                renewed = _time()
            except (ApiError, RetryLater, TimeoutError) as error:
                logger.warning("the Lease could not be renewed: %s", error or type(error).__name__)
                if _time() - renewed >= self._timing.renew:
                    message = f"Lease {self._key.name} could not be renewed for {self._timing.renew:g} s"
                    raise LeadershipLost(message) from error

    async def release(self) -> None:
        """Give the Lease back, so that a standby need not wait; a failure only costs that time."""
        try:
            async with asyncio.timeout(self._timing.retry):
                held = await self._leases.get(self._key)
                if held is not None and (held.get("spec") or {}).get("holderIdentity") == self._identity:
                    held["spec"] = {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._leases.replace(held)
        except (ApiError, RetryLater, TimeoutError) as error:
            logger.warning("the Lease could not be given back: %s", error or type(error).__name__)

    async def _try(self) -> bool:
        held = await self._leases.get(self._key)
        if held is None:
            try:
                await self._leases.create(self._lease(None))
            except ApiError as error:
                if error.status == 409:
                    return False
                raise
            return True
        spec = held.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        version = str(held["metadata"].get("resourceVersion"))
        if version != self._seen:
            self._seen, self._seen_at = version, _time()
        duration = float(spec.get("leaseDurationSeconds") or self._timing.lease)
        if holder and holder != self._identity and _time() < self._seen_at + duration:
            return False
        try:
            answer = await self._leases.replace(self._lease(held))
        except ApiError as error:
            if error.status == 409:
                # Somebody wrote in between; look again at the next try.
                return False if holder != self._identity else await self._still_holds()
            raise
        self._seen, self._seen_at = str(answer["metadata"].get("resourceVersion")), _time()
        return True

    async def _still_holds(self) -> bool:
        held = await self._leases.get(self._key)
        return ((held or {}).get("spec") or {}).get("holderIdentity") == self._identity

    def _lease(self, held: JsonObject | None) -> JsonObject:
        stamp = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = (held or {}).get("spec") or {}
        same = before.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.lease),
            "acquireTime": before.get("acquireTime") if same else stamp,
            "renewTime": stamp,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (0 if same or held is None else 1),
        }
        metadata = held["metadata"] if held else {"name": self._key.name, "namespace": self._key.namespace}
        return {
            "apiVersion": resources.LEASE.api_version,
            "kind": "Lease",
            "metadata": {field: value for field, value in metadata.items() if field != "managedFields"},
            "spec": spec,
        }


def _time() -> float:
    return asyncio.get_running_loop().time()
