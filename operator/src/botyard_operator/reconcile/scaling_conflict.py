"""Whether somebody else scales a Bot that the operator scales: both would undo each other's work for ever.

A HorizontalPodAutoscaler is looked for; KEDA makes one for each of its ScaledObjects. They are read only for Bots with
`spec.autoscaling`, and only when such a Bot is reconciled, which a change of its replicas causes.
"""

from __future__ import annotations

from botyard_operator.api.bot import Bot
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState
from botyard_operator.reconcile.base import ApiError, Context

AGAIN_SECONDS = 30.0
"""Pause between looks while there is one: they are not watched."""


async def scaling_conflict(bot: Bot, ctx: Context) -> ConditionState | None:
    """Return the condition of a Bot that two scale; None: nobody else does, or it may not be known."""
    if bot.spec.autoscaling is None:
        return None
    try:
        found = await ctx.kube.select("HorizontalPodAutoscaler", bot.metadata.namespace, {})
    except ApiError:
        return None
    others = sorted(
        str(each["metadata"]["name"])
        for each in found
        if (target := (each.get("spec") or {}).get("scaleTargetRef") or {}).get("kind") == "Bot"
        and target.get("name") == bot.metadata.name
    )
    if not others:
        return None
    message = (
        f"HorizontalPodAutoscaler {', '.join(others)} (KEDA makes one for a ScaledObject) scales the Bot, too: delete "
        "it, or leave out spec.autoscaling; until then the operator only wakes it"
    )
    return ConditionState(ConditionType.SCALING_CONFLICT, "True", Reason.SCALED_BY_OTHERS, message)
