"""What the statuses of Bots and Personas say of money. Pure."""

from __future__ import annotations

from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState, find
from botyard_operator.reconcile.base import JsonObject
from botyard_operator.spending import Spent


def exceeded(who: str, spent: Spent | None, limit: int | None, status: JsonObject) -> ConditionState | None:
    """Return the condition BudgetExceeded while a budget of a day is used up, else None.

    Args:
        who: The object, in words.
        spent: What is known of its spending; None: nothing since the operator started.
        limit: Coins that its spec allows now, so that an edit heals at once.
        status: Its status as it is.
    """
    if spent is None:
        before = find(status.get("conditions"), ConditionType.BUDGET_EXCEEDED)
        told = (status.get("spend") or {}).get("coins", status.get("spentToday")) or 0
        if before is None or limit is None or told < limit:
            return None
        return ConditionState(ConditionType.BUDGET_EXCEEDED, "True", before["reason"], before.get("message", ""))
    if not spent.account.exceeded(limit):
        return None
    granted = f" and {spent.account.granted} granted" if spent.account.granted else ""
    message = (
        f"{who} has spent {spent.coins} of {limit} coins{granted} on {spent.day}: raise spec.budget.daily, grant more "
        "by `kubectl botyard budget grant`, or wait for the next day"
    )
    return ConditionState(ConditionType.BUDGET_EXCEEDED, "True", Reason.BUDGET_USED_UP, message)


def nearly_spent(who: str, before: int, after: int, limit: int | None) -> str | None:
    """Return what to say where spending has reached 80 % of a day's limit since the status told of it; None: nothing.

    Args:
        who: The object, in words.
        before: Coins of this day that the status told.
        after: Coins that are spent.
        limit: Coins that may be, with what was granted.
    """
    if not limit or not before * 5 < limit * 4 <= after * 5 or after >= limit:
        return None
    return f"{who} has spent {after} of {limit} coins of the day"


def persona_spend(spent: Spent | None, limit: int | None, status: JsonObject) -> JsonObject | None:
    """Return `status.spend`; what was not spent since the operator started stays as it was told."""
    before = status.get("spend") or {}
    day, coins = (spent.day, spent.coins) if spent is not None else (before.get("day"), before.get("coins", 0))
    if day is None and limit is None:
        return None
    found: JsonObject = {"coins": coins}
    if day is not None:
        found["day"] = day
    if limit is not None:
        found["limit"] = limit + (spent.account.granted if spent is not None else 0)
    return found
