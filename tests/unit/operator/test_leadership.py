"""The election: two candidates on one Lease, on a loop whose time jumps."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from botyard_operator.leadership import Elector, LeadershipLost
from botyard_operator.reconcile.base import ApiError, Key, RetryLater
from tests.unit.operator.clocks import run

Object = dict[str, Any]


class Leases:
    """One Lease with the API's optimistic locking."""

    def __init__(self) -> None:
        self.held: Object | None = None
        self.version = 0
        self.down = False
        self.writes = 0

    async def get(self, key: Key) -> Object | None:
        self._check()
        return None if self.held is None else {**self.held, "metadata": dict(self.held["metadata"])}

    async def create(self, obj: Object) -> Object:
        self._check()
        if self.held is not None:
            raise ApiError(409, "AlreadyExists", "exists")
        return self._store(obj)

    async def replace(self, obj: Object) -> Object:
        self._check()
        assert self.held is not None
        if obj["metadata"]["resourceVersion"] != self.held["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "changed")
        return self._store(obj)

    def _check(self) -> None:
        if self.down:
            raise RetryLater("down")

    def _store(self, obj: Object) -> Object:
        self.version += 1
        self.writes += 1
        self.held = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        return self.held


def _elector(leases: Leases, identity: str) -> Elector:
    return Elector(leases, namespace="botyard", name="operator", identity=identity)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _holder(leases: Leases) -> str:
    assert leases.held is not None
    holder: str = leases.held["spec"]["holderIdentity"]
    return holder


def test_the_first_candidate_leads_and_keeps_the_lease() -> None:
    async def main() -> None:
        leases = Leases()
        first, second = _elector(leases, "first"), _elector(leases, "second")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(120):
                await second.acquire()
        assert not holding.done()
        assert _holder(leases) == "first"
        assert leases.held is not None
        assert leases.held["spec"]["leaseTransitions"] == 0
        holding.cancel()

    run(main())


def test_a_silent_leader_is_replaced_within_the_lease_and_a_retry() -> None:
    async def main() -> None:
        leases = Leases()
        await _elector(leases, "first").acquire()
        silent_since = _now()
        await _elector(leases, "second").acquire()
        assert 15 <= _now() - silent_since <= 18
        assert _holder(leases) == "second"
        assert leases.held is not None
        assert leases.held["spec"]["leaseTransitions"] == 1

    run(main())


def test_a_lease_that_is_given_back_is_taken_at_the_next_try() -> None:
    async def main() -> None:
        leases = Leases()
        first = _elector(leases, "first")
        await first.acquire()
        await first.release()
        given_back = _now()
        await _elector(leases, "second").acquire()
        assert _now() - given_back <= 2.5

    run(main())


def test_a_leader_whose_lease_was_taken_stops() -> None:
    async def main() -> None:
        leases = Leases()
        first = _elector(leases, "first")
        await first.acquire()
        assert leases.held is not None
        taken = {**leases.held, "spec": {**leases.held["spec"], "holderIdentity": "second"}}
        await leases.replace(taken)
        with pytest.raises(LeadershipLost, match="taken"):
            await first.hold()

    run(main())


def test_a_leader_that_cannot_renew_stops_before_its_lease_runs_out() -> None:
    async def main() -> None:
        leases = Leases()
        first = _elector(leases, "first")
        await first.acquire()
        leases.down = True
        since = _now()
        with pytest.raises(LeadershipLost, match="renewed"):
            await first.hold()
        assert _now() - since < 15

    run(main())


def test_a_short_outage_is_survived() -> None:
    async def main() -> None:
        leases = Leases()
        first = _elector(leases, "first")
        await first.acquire()
        leases.down = True
        asyncio.get_running_loop().call_later(6, setattr, leases, "down", False)
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await first.hold()
        assert _holder(leases) == "first"

    run(main())
