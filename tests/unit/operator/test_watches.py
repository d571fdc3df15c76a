"""When watches are taken to be deaf, and how soon the caches are compared again."""

import asyncio
import itertools
from typing import cast

import pytest

from botyard_operator import watches
from botyard_operator.caches import Caches
from botyard_operator.kube import KubeClient
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import RetryLater
from botyard_operator.settings import Settings
from botyard_operator.watches import Watches, WatchHealth
from tests.unit.operator.clocks import run


@pytest.mark.parametrize(("seconds", "overdue"), [(100.0, 50.0), (8.0, 30.0)])
def test_a_watch_is_deaf_once_it_is_overdue_by_half_its_time_but_not_by_seconds(seconds: float, overdue: float) -> None:
    async def main() -> list[list[str]]:
        health, now = WatchHealth(seconds), asyncio.get_running_loop().time()
        found = []
        for ago in (seconds + overdue - 1, seconds + overdue + 1):
            health._answered["/bots"] = now - ago
            found.append(health.deaf())
        return found

    assert run(main()) == [[], ["/bots"]]


def test_after_a_comparison_that_failed_the_next_one_comes_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []

    async def prune(*_: object) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 2:
            raise RetryLater("down")
        if len(times) == 4:
            raise asyncio.CancelledError

    async def main() -> None:
        found = Watches(
            caches=Caches(),
            kube=cast(KubeClient, None),
            settings=Settings(),
            metrics=Metrics(),
            health=WatchHealth(100.0),
        )
        with pytest.raises(asyncio.CancelledError):
            await found._prune()

    monkeypatch.setattr(watches, "prune", prune)
    run(main())
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert [pause > 100 for pause in pauses] == [True, False, True]
