"""Writing the status of an object: once a reconcile, only where it differs, with Events on transitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botyard.contract import names
from botyard_operator.conditions import ConditionState, find, summarise
from botyard_operator.reconcile.base import Context, JsonObject


async def report(obj: JsonObject, states: Iterable[ConditionState], fields: dict[str, Any], ctx: Context) -> bool:
    """Bring the status of `obj` to the conditions and fields; fields that are None are left out.

    Returns:
        Whether it was written.
    """
    metadata = obj["metadata"]
    before = obj.get("status") or {}
    generation = metadata.get("generation", 0)
    conditions = summarise(states, previous=before.get("conditions"), generation=generation, now=ctx.clock.now())
    requested = (metadata.get("annotations") or {}).get(names.ANNOTATION_REQUESTED_AT)
    status = {
        "observedGeneration": generation,
        "conditions": conditions,
        "lastHandledRequestedAt": requested,
        **fields,
    }
    status = {field: value for field, value in status.items() if value is not None}
    written = await ctx.kube.patch_status(obj, status)
    if written:
        _announce(obj, before.get("conditions"), conditions, ctx)
    return written


def _announce(obj: JsonObject, before: list[dict[str, Any]] | None, after: list[dict[str, Any]], ctx: Context) -> None:
    _announce_budget(obj, find(before, "BudgetExceeded"), find(after, "BudgetExceeded"), ctx)
    ready, was_ready = find(after, "Ready"), find(before, "Ready")
    stalled, was_stalled = find(after, "Stalled"), find(before, "Stalled")
    if stalled is not None:
        if was_stalled is None or was_stalled.get("reason") != stalled["reason"]:
            ctx.recorder.event(obj, "Warning", stalled["reason"], stalled["message"])
        return
    if ready is None:
        return
    changed = (was_ready or {}).get("reason") != ready["reason"]
    if ready["status"] == "True" and (was_ready or {}).get("status") != "True":
        ctx.recorder.event(obj, "Normal", "Ready", ready["message"])
    elif ready["status"] == "False" and ready["reason"] not in _QUIET and changed:
        ctx.recorder.event(obj, "Warning", ready["reason"], ready["message"])


def _announce_budget(
    obj: JsonObject, before: dict[str, Any] | None, after: dict[str, Any] | None, ctx: Context
) -> None:
    if after is not None and before is None:
        ctx.recorder.event(obj, "Warning", "BudgetExceeded", after["message"])
    elif after is None and before is not None:
        ctx.recorder.event(obj, "Normal", "BudgetAvailable", "there is money again: calls are made")


_QUIET = frozenset({"Progressing", "PodsNotReady", "RollingOut", "Stopped"})
"""Reasons of a Ready that is False only for a moment, which is not worth an Event."""
