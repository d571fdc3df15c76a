"""A Persona's ERP subscriptions: whether they make sense, and whether changes are routed by them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from botyard.contract.erp import ErpSubscription, Subscription
from botyard.contract.persona import PersonaConfig
from botyard.erp import filter_language
from botyard.erp.filter_language import FilterError
from botyard.loop.erp_schema import TABLES
from botyard_operator.api.persona import Persona
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState
from botyard_operator.reconcile.base import Context, JsonObject
from botyard_operator.reconcile.problems import Problem
from botyard_operator.reconcile.setups import manifest_of

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


OwnTables = Mapping[str, Collection[str]]
"""Columns of the tables that a bundle describes in its `erp_schema.yaml`, by table."""


async def own_tables(bot: JsonObject | None, ctx: Context) -> OwnTables:
    """Return the tables that a Bot's bundle describes; none where that is not known."""
    _, manifest = await manifest_of(bot, ctx)
    return parse_own(manifest)


def parse_own(manifest: str) -> OwnTables:
    """Return the tables that a manifest describes."""
    try:
        described = (json.loads(manifest or "{}").get("extra") or {}).get("erpSchema") or {}
        return {str(name): frozenset(table["columns"]) for name, table in described.items()}
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return {}


def subscription_problem(persona: Persona, declared: Collection[str], own: OwnTables) -> Problem | None:
    """Return what keeps a Persona's subscriptions from being used; None: nothing.

    Args:
        persona: The Persona.
        declared: Tables that its bundle names: those of the company's own among them.
        own: Tables that it describes, whose columns are known.
    """
    found = list(_problems(persona, {*TABLES, *declared, *own}, own))
    if not found:
        return None
    more = f"; and {len(found) - MAX_TOLD} more" if len(found) > MAX_TOLD else ""
    return Problem(Reason.SUBSCRIPTION_INVALID, f"{'; '.join(found[:MAX_TOLD])}{more}", stalled=True)


def _problems(persona: Persona, known: Collection[str], own: OwnTables) -> Iterator[str]:
    for number, subscription in enumerate((persona.spec.erp.subscriptions if persona.spec.erp else None) or ()):
        place = f"spec.erp.subscriptions[{number}]"
        if subscription.table not in known:
            nearest = get_close_matches(subscription.table, known, n=1)
            hint = (
                f"did you mean {nearest[0]}?" if nearest else "the bundle names its own tables when it starts its bot"
            )
            yield f"{place}.table: there is no table {subscription.table}: {hint}"
        columns = own.get(subscription.table)
        yield from (
            f"{place}.columns: {wrong}" for wrong in _unknown(subscription.columns, subscription.table, columns)
        )
        for condition in subscription.where:
            try:
                asked = filter_language.columns(filter_language.read(condition))
            except FilterError as error:
                yield f"{place}.where: {error}"
            else:
                yield from (f"{place}.where: {wrong}" for wrong in _unknown(asked, subscription.table, columns))


def _unknown(asked: Collection[str], table: str, columns: Collection[str] | None) -> Iterator[str]:
    """Say which columns a table has not, where its columns are known."""
    for name in asked if columns is not None else ():
        if name not in (columns or ()):
            nearest = get_close_matches(name, columns or (), n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "the bundle's erp_schema.yaml names its columns"
            yield f"table {table} has no column {name}: {hint}"


def own_subscriptions(persona: Persona) -> tuple[ErpSubscription, ...] | None:
    """Return what a Persona subscribes to itself; None where it leaves that to its bundle."""
    erp = persona.spec.erp
    if erp is None or (erp.subscriptions is None and erp.connection_secret_ref is not None):
        return None
    return tuple(
        ErpSubscription(
            table=subscription.table,
            actions=subscription.actions,
            where=subscription.where,
            columns=subscription.columns,
        )
        for subscription in erp.subscriptions or ()
    )


def wishes(persona: PersonaConfig, declared: Collection[str]) -> tuple[ErpSubscription, ...]:
    """Return what a Persona wants to hear of: its own subscriptions, else all rows of its bundle's tables."""
    if persona.subscriptions is not None:
        return persona.subscriptions
    return tuple(ErpSubscription(table=table) for table in declared)


def unsubscribed(problem: Problem) -> ConditionState:
    """Return the condition Subscribed of a Persona whose subscriptions cannot be used."""
    message = f"{problem.message}; the last good subscriptions stay in force"
    return ConditionState(ConditionType.SUBSCRIBED, "False", problem.reason, message)


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
