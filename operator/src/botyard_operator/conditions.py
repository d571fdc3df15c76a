"""Status conditions in the sense of kstatus, computed anew on every reconcile.

Ready is always present. Reconciling and Stalled are abnormal-true: present only while they hold. The time of a
condition's last transition moves only when its status flips, so that an unchanged object needs no write.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

ConditionStatus = Literal["True", "False", "Unknown"]

MAX_MESSAGE = 32_000
"""The API conventions limit a condition's message to 32 KiB."""


@dataclass(frozen=True, slots=True)
class ConditionState:
    """What a reconciler found out; times and generations are filled in by `summarise`."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def ready(status: ConditionStatus, reason: str, message: str) -> ConditionState:
    """Return the Ready condition."""
    return ConditionState("Ready", status, reason, message)


def reconciling(reason: str, message: str) -> ConditionState:
    """Return Reconciling: something moves and will settle by itself."""
    return ConditionState("Reconciling", "True", reason, message)


def stalled(reason: str, message: str) -> ConditionState:
    """Return Stalled: waiting cannot help, somebody must change the object."""
    return ConditionState("Stalled", "True", reason, message)


def summarise(
    states: Iterable[ConditionState],
    *,
    previous: Iterable[dict[str, Any]] | None,
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """Return the `status.conditions` list for `states`, in their order.

    Args:
        states: What holds now; must contain Ready. Types that are left out are removed.
        previous: The conditions that the object carries; where the status is equal, their times are kept.
        generation: `metadata.generation` that was reconciled.
        now: Transition time of the conditions that flipped.

    Raises:
        ValueError: Ready is missing, or a type is given twice.
    """
    before = {condition.get("type"): condition for condition in previous or ()}
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    result: list[dict[str, Any]] = []
    seen: set[str] = set()
    for state in states:
        if state.type in seen:
            raise ValueError(f"condition {state.type} is given twice")
        seen.add(state.type)
        old = before.get(state.type)
        unchanged = old is not None and old.get("status") == state.status and old.get("lastTransitionTime")
        result.append(
            {
                "type": state.type,
                "status": state.status,
                "reason": state.reason,
                "message": state.message[:MAX_MESSAGE],
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if unchanged and old else stamp,
            }
        )
    if "Ready" not in seen:
        raise ValueError("the conditions do not say whether the object is Ready")
    return result


def find(conditions: Iterable[dict[str, Any]] | None, type_: str) -> dict[str, Any] | None:
    """Return the condition of this type from an object's status, or None."""
    return next((condition for condition in conditions or () if condition.get("type") == type_), None)
