"""A Persona's ERP subscriptions: whether they make sense, and whether changes are routed by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from botyard.contract.erp import ErpSubscription, Subscription
from botyard.contract.persona import PersonaConfig
from botyard.erp import filters
from botyard.erp.filters import FilterError
from botyard.loop.erp_schema import TABLES
from botyard_operator.api.persona import Persona
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState
from botyard_operator.reconcile.base import Context, JsonObject
from botyard_operator.reconcile.problems import Problem

MAX_TOLD = 8
"""Subscriptions that one message names."""


def declared_tables(bot: JsonObject | None, ctx: Context) -> tuple[str, ...]:
    """Return the tables that a Bot's bundle says that it wants; nothing where that is not known."""
    reference = ((bot or {}).get("spec") or {}).get("bundleRef") or {}
    if bot is None or not reference.get("name"):
        return ()
    namespace = str(reference.get("namespace") or bot["metadata"]["namespace"])
    bundle = ctx.caches.get("Bundle", namespace, str(reference["name"])) or {}
    return tuple(((bundle.get("status") or {}).get("manifest") or {}).get("erpTables") or ())


def subscription_problem(persona: Persona, declared: Collection[str]) -> Problem | None:
    """Return what keeps a Persona's subscriptions from being used; None: nothing.

    Args:
        persona: The Persona.
        declared: Tables that its bundle names: those of the company's own among them.
    """
    found = list(_problems(persona, {*TABLES, *declared}))
    if not found:
        return None
    more = f"; and {len(found) - MAX_TOLD} more" if len(found) > MAX_TOLD else ""
    return Problem(Reason.SUBSCRIPTION_INVALID, f"{'; '.join(found[:MAX_TOLD])}{more}", stalled=True)


def _problems(persona: Persona, known: Collection[str]) -> Iterator[str]:
    for number, subscription in enumerate(persona.spec.erp.subscriptions if persona.spec.erp else ()):
        place = f"spec.erp.subscriptions[{number}]"
        if subscription.table not in known:
            nearest = get_close_matches(subscription.table, known, n=1)
            hint = (
                f"did you mean {nearest[0]}?" if nearest else "the bundle names its own tables when it starts its bot"
            )
            yield f"{place}.table: there is no table {subscription.table}: {hint}"
        for condition in subscription.where:
            try:
                filters.parse(condition)
            except FilterError as error:
                yield f"{place}.where: {error}"


def own_subscriptions(persona: Persona) -> tuple[ErpSubscription, ...] | None:
    """Return what a Persona subscribes to itself; None where it leaves that to its bundle."""
    if persona.spec.erp is None:
        return None
    return tuple(
        ErpSubscription(
            table=subscription.table,
            actions=subscription.actions,
            where=subscription.where,
            columns=subscription.columns,
        )
        for subscription in persona.spec.erp.subscriptions
    )


def wishes(persona: PersonaConfig, declared: Collection[str]) -> tuple[ErpSubscription, ...]:
    """Return what a Persona wants to hear of: its own subscriptions, else all rows of its bundle's tables."""
    if persona.subscriptions is not None:
        return persona.subscriptions
    return tuple(ErpSubscription(table=table) for table in declared)


def subscribed(
    persona: str, wanted: tuple[ErpSubscription, ...], routed: tuple[Subscription, ...]
) -> ConditionState | None:
    """Return the condition Subscribed; None for a Persona that wants to hear of nothing.

    Args:
        persona: Its name.
        wanted: What it wants to hear of.
        routed: By what changes are routed to its Bot now.
    """
    if not wanted:
        return None
    mine = {
        ErpSubscription(table=wish.table, actions=wish.actions, where=wish.where, columns=wish.columns)
        for wish in routed
        if persona in wish.personas
    }
    if mine == set(wanted):
        tables = ", ".join(dict.fromkeys(wish.table for wish in wanted))
        return ConditionState(ConditionType.SUBSCRIBED, "True", Reason.SUCCEEDED, f"hears of changes of {tables}")
    return ConditionState(
        ConditionType.SUBSCRIBED, "False", Reason.PROGRESSING, "changes are not routed by these subscriptions yet"
    )
