"""What Events tell of a Bundle: transitions alone."""

from __future__ import annotations

from botyard_operator.api.bundle import Artifact
from botyard_operator.conditions import ConditionState, find
from botyard_operator.reconcile.base import Context, JsonObject


def tell(
    ctx: Context,
    obj: JsonObject,
    old: Artifact | None,
    new: Artifact | None,
    before: JsonObject | None,
    states: list[ConditionState],
) -> None:
    """Record Events for what changed."""
    if new is not None and (old is None or old.revision != new.revision):
        ctx.recorder.event(obj, "Normal", "NewRevision", f"{new.revision} is in storage as {new.digest}")
    fetched = next((state for state in states if state.type == "Fetched"), None)
    changed = fetched is not None and (before is None or before.get("reason") != fetched.reason)
    if fetched is not None and changed and fetched.status == "False":
        ctx.recorder.event(obj, "Warning", fetched.reason, fetched.message)
    for state in states:
        if state.type in {"Built", "Inspected"} and state.status == "False":
            was = find((obj.get("status") or {}).get("conditions"), state.type) or {}
            if (was.get("reason"), was.get("message")) != (state.reason, state.message):
                ctx.recorder.event(obj, "Warning", state.reason, state.message)
