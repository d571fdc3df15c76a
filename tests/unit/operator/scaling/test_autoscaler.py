"""Which Bots are scaled."""

import asyncio
from typing import Any, cast

import pytest

from botyard.core.activity import Activity
from botyard_operator.reconcile.base import Key
from botyard_operator.scaling.autoscaler import Autoscaler
from tests.unit.operator.reconcile.offline import BOT, Space


class Scales:
    """What was written."""

    def __init__(self) -> None:
        self.written: list[tuple[Key, int]] = []

    async def scale(self, key: Key, replicas: int) -> None:
        self.written.append((key, replicas))


@pytest.mark.parametrize(("replicas", "conflict", "woken"), [(0, True, True), (0, False, True), (1, True, False)])
def test_a_bot_that_sleeps_is_woken_also_where_somebody_else_scales_it(
    replicas: int, conflict: bool, woken: bool
) -> None:
    space, scales = Space(1, autoscaling={"minReplicas": 0, "maxReplicas": 3}, replicas=replicas), Scales()
    conditions = [{"type": "ScalingConflict", "status": "True"}] if conflict else []
    space._put("Bot", lambda obj: obj.update(status={"conditions": conditions}))
    autoscaler = Autoscaler(cast(Activity, None), scales, space.context)
    asyncio.run(autoscaler.marked("shop/clerk"))
    assert scales.written == ([(BOT, 1)] if woken else [])


def test_a_bot_that_runs_and_that_somebody_else_scales_is_left_alone() -> None:
    space = Space(1, autoscaling={"minReplicas": 0, "maxReplicas": 3}, replicas=2)
    space._put("Bot", lambda obj: obj.update(status={"conditions": [{"type": "ScalingConflict", "status": "True"}]}))
    work: Any = None
    asyncio.run(Autoscaler(cast(Activity, work), Scales(), space.context).look(everything=True))
