"""Somebody else who scales a Bot is told of for as long as that is so."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from botyard_operator.commands.offline import OfflineCluster
from tests.unit.operator.reconcile.offline import Object, Space


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Space:
    async def select(self: object, kind: str, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        target = {"kind": "Bot", "name": "clerk"}
        return [{"metadata": {"name": "other"}, "spec": {"scaleTargetRef": target}}] if kind != "Pod" else []

    monkeypatch.setattr(OfflineCluster, "select", select)
    found = Space(1, autoscaling={"minReplicas": 1, "maxReplicas": 3})
    found.reconcile()
    found.rolled_out()
    return found


@pytest.mark.parametrize(
    "spec",
    [{}, {"bundleRef": {"name": "nowhere"}}, {"podTemplate": {"kind": "Pod"}}],
    ids=["as it was", "without its bundle", "with a template that is refused"],
)
def test_it_is_told_also_where_something_else_is_wrong(space: Space, spec: dict[str, Any]) -> None:
    space.edit(**spec)
    space.reconcile()
    assert (space.condition("Stalled") is not None or space.condition("Reconciling") is not None) is bool(spec)
    assert (space.condition("ScalingConflict") or {}).get("reason") == "ScaledByOthers"
