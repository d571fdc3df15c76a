"""Reconciles the status of a Persona; its content reaches the pods through the shards of its Bot."""

from __future__ import annotations

from collections.abc import Callable

from botyard.contract import names
from botyard.contract.persona import PersonaConfig
from botyard.contract.routes import Route
from botyard.core.persona_reports import PersonaReport
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.persona import Persona
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState, find, ready, reconciling, stalled
from botyard_operator.faring import Faring
from botyard_operator.reconcile.base import Context, JsonObject, Key, Result
from botyard_operator.reconcile.budgets import exceeded, nearly_spent, persona_spend
from botyard_operator.reconcile.persona_shards import ShardReader, budget_problem, persona_config, to_json
from botyard_operator.reconcile.problems import Problem
from botyard_operator.reconcile.setups import Schema, schema_of, secrets_of, setup_problem
from botyard_operator.reconcile.status import report
from botyard_operator.reconcile.subscriptions import (
    declared_tables,
    own_tables,
    subscribed,
    subscription_problem,
    unsubscribed,
    wishes,
)
from botyard_operator.spending import Spending

UNREADY_AFTER = 3
"""Ends of a loop in a row after which its Persona is not ready."""


class PersonaReconciler:
    """Reconciles keys of kind `Persona`."""

    def __init__(
        self, reader: ShardReader, spending: Spending, faring: Faring, routed: Callable[[Key], Route | None]
    ) -> None:
        """Prepare.

        Args:
            reader: What of Personas is in force.
            spending: What was spent.
            faring: How their loops fare.
            routed: Returns the route of a Bot that is in force; None: there is none yet.
        """
        self._routed = routed
        self._faring = faring
        self._reader = reader
        self._spending = spending

    async def reconcile(self, key: Key, ctx: Context) -> Result:
        """Tell in a Persona's status whether it is in force."""
        obj = ctx.caches.get("Persona", key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            return Result()
        schema = await schema_of(_bot_of(key, obj, ctx), ctx)
        serving, problem = await _observe(key, obj, self._reader, schema, ctx)
        states = conditions(serving, problem)
        states += setup_states(schema, obj)
        wrong = problem is not None and problem.reason is Reason.SUBSCRIPTION_INVALID
        subscribed_now = unsubscribed(problem) if problem is not None and wrong else self._subscribed(key, obj, ctx)
        states += [subscribed_now] if subscribed_now is not None else []
        fares = self._faring.of(key)
        states = with_loop(states, fares, before := obj.get("status") or {})
        if (deaf := unhandled_tools(fares, before)) is not None:
            states.append(deaf)
        spent = self._spending.of(key)
        limit = ((obj.get("spec") or {}).get("budget") or {}).get("daily")
        if (without := without_loop(_bot_of(key, obj, ctx), ctx)) is not None:
            states.append(without)
        if (over := exceeded(f"Persona {key.name}", spent, limit, before)) is not None:
            states.append(over)
        kept = {field: before.get(field) for field in ("tasks", "replica")}
        if fares is not None:
            kept = {"tasks": dict(fares.tasks) or kept["tasks"], "replica": fares.replica or kept["replica"]}
        spend = persona_spend(spent, limit, before)
        if await report(obj, states, {**kept, "spend": spend}, ctx) and spend is not None:
            told = before.get("spend") or {}
            known = told.get("coins", 0) if told.get("day") == spend.get("day") else 0
            if warning := nearly_spent(f"Persona {key.name}", known, spend["coins"], spend.get("limit")):
                ctx.recorder.event(obj, "Warning", "BudgetNearlySpent", warning)
        return Result()

    def _subscribed(self, key: Key, obj: JsonObject, ctx: Context) -> ConditionState | None:
        held = _bot_of(key, obj, ctx)
        bot = Key("Bot", key.namespace, str(held["metadata"]["name"]) if held else "")
        in_force = self._reader.persona(bot, key.name, ctx)
        if in_force is None:
            return None
        wanted = wishes(PersonaConfig.model_validate(in_force), declared_tables(held, ctx))
        route = self._routed(bot)
        return subscribed(key.name, wanted, route.subscriptions if route is not None else ())


def without_loop(bot: JsonObject | None, ctx: Context) -> ConditionState | None:
    """Return the condition of a Persona whose Bot runs no loops; None: it does, or nobody knows yet."""
    reference = ((bot or {}).get("spec") or {}).get("bundleRef") or {}
    if bot is None or not reference.get("name"):
        return None
    namespace = str(reference.get("namespace") or bot["metadata"]["namespace"])
    bundle = ctx.caches.get("Bundle", namespace, str(reference["name"])) or {}
    model = ((bundle.get("status") or {}).get("manifest") or {}).get("model")
    if model in (None, "", "auto", "loop"):
        return None
    message = (
        f"Bundle {reference['name']} of Bot {bot['metadata']['name']} has the model {model}, whose bots have no loop: "
        "setup, schedules, erp, maxInProgress and mongo have no effect; displayName and budget do"
    )
    return ConditionState(ConditionType.WITHOUT_LOOP, "True", Reason.BOT_WITHOUT_LOOP, message)


def unhandled_tools(fares: PersonaReport | None, status: JsonObject) -> ConditionState | None:
    """Return the condition of a Persona whose loop lacks handlers; None: it has all of them.

    Args:
        fares: How the loop fares; None: nothing is known since the operator started.
        status: The Persona's as it is.
    """
    if fares is None:
        held = find(status.get("conditions"), ConditionType.TOOLS_WITHOUT_HANDLER)
        message = str(held.get("message", "")) if held is not None else ""
    else:
        named = ", ".join(fares.unhandled)
        message = f"nothing handles calls of {named}: the model is told so at once" if named else ""
    if not message:
        return None
    return ConditionState(ConditionType.TOOLS_WITHOUT_HANDLER, "True", Reason.HANDLER_MISSING, message)


def with_loop(states: list[ConditionState], fares: PersonaReport | None, status: JsonObject) -> list[ConditionState]:
    """Return the conditions with what the Persona's loop does to them.

    Args:
        states: The others.
        fares: How the loop fares; None: nothing is known since the operator started.
        status: The Persona's as it is.
    """
    if fares is None:
        held = find(status.get("conditions"), ConditionType.LOOP_CRASHING)
        if held is None:
            return states
        message = str(held.get("message", ""))
    elif fares.failures == 0:
        return states
    else:
        times = "once" if fares.failures == 1 else f"{fares.failures} times in a row"
        message = f"its main loop ended {times}, last with {fares.message}; it is entered again after growing pauses"
    failing = ConditionState(ConditionType.LOOP_CRASHING, "True", Reason.LOOP_FAILING, message)
    if fares is not None and fares.failures < UNREADY_AFTER:
        return [*states, failing]
    unready = [
        ready("False", Reason.LOOP_FAILING, message) if state.type == "Ready" and state.status == "True" else state
        for state in states
    ]
    return [*unready, failing]


def conditions(serving: bool, problem: Problem | None) -> list[ConditionState]:
    """Return the conditions of a Persona.

    Args:
        serving: Whether an earlier version of it is in force.
        problem: What keeps its spec from being in force; None: it is.
    """
    if problem is None:
        return [ready("True", Reason.SUCCEEDED, "hired: its Bot works with this setup")]
    first = (
        ready("True", Reason.SUCCEEDED, "its Bot works with the last good setup")
        if serving and problem.stalled
        else ready("False", problem.reason, problem.message)
    )
    if problem.stalled:
        return [first, stalled(problem.reason, problem.message)]
    return [first, reconciling(problem.reason, problem.message)]


def setup_states(schema: Schema | None, obj: JsonObject) -> list[ConditionState]:
    """Return the condition SetupValid; nothing where the bundle's schema is not known or the spec cannot be read."""
    try:
        problem = setup_problem(schema, Persona.parse(obj))
    except InvalidObject:
        return []
    if schema is None:
        return []
    if problem is not None:
        return [ConditionState(ConditionType.SETUP_VALID, "False", problem.reason, problem.message)]
    message = f"agrees with the setup schema of Bundle {schema.bundle}"
    return [ConditionState(ConditionType.SETUP_VALID, "True", Reason.SUCCEEDED, message)]


def _bot_of(key: Key, obj: JsonObject, ctx: Context) -> JsonObject | None:
    name = str((((obj.get("spec") or {}).get("botRef")) or {}).get("name") or "")
    return ctx.caches.get("Bot", key.namespace, name)


async def _observe(
    key: Key, obj: JsonObject, reader: ShardReader, schema: Schema | None, ctx: Context
) -> tuple[bool, Problem | None]:
    bot_name = str((((obj.get("spec") or {}).get("botRef")) or {}).get("name") or "")
    bot = Key("Bot", key.namespace, bot_name)
    held = ctx.caches.get("Bot", bot.namespace, bot.name)
    bot_ready = _is_ready(held)
    in_force = reader.persona(bot, key.name, ctx)
    serving = in_force is not None and bot_ready
    try:
        persona = Persona.parse(obj)
    except InvalidObject as error:
        return serving, Problem(Reason.INVALID_SPEC, f"{error.path} {error.message}", stalled=True)
    if wrong := budget_problem(persona):
        return serving, Problem(Reason.INVALID_SPEC, wrong, stalled=True)
    if (invalid := setup_problem(schema, persona)) is not None:
        return serving, invalid
    if (invalid := subscription_problem(persona, declared_tables(held, ctx), await own_tables(held, ctx))) is not None:
        return serving, invalid
    secrets = await secrets_of(persona, ctx)
    if secrets.problem is not None:
        return serving, secrets.problem
    if held is None:
        message = f"Bot {bot.name} does not exist in namespace {bot.namespace}: create it"
        return False, Problem(Reason.BOT_NOT_FOUND, message)
    if persona.spec.suspend:
        if in_force is None:
            return False, Problem(Reason.SUSPENDED, "suspended before it was hired: write suspend: false")
    elif in_force != to_json(persona_config(persona, secrets.version)):
        size = len(persona_config(persona, secrets.version).to_json().encode())
        if in_force is None and reader.full(bot, size, ctx):
            message = (
                f"the {names.PERSONA_SHARDS} ConfigMaps of Bot {bot.name} have no room for its {size} bytes: "
                "make the setup smaller"
            )
            return serving, Problem(Reason.TOO_LARGE, message, stalled=True)
        message = f"the ConfigMaps of Bot {bot.name} are being written"
        return False, Problem(Reason.PROGRESSING, message)
    if not bot_ready:
        condition = find((held.get("status") or {}).get("conditions"), "Ready") or {}
        message = f"Bot {bot.name} is not ready: {condition.get('message', 'it was not reconciled yet')}"
        return False, Problem(Reason.BOT_NOT_READY, message)
    return True, None


def _is_ready(bot: JsonObject | None) -> bool:
    if bot is None:
        return False
    condition = find((bot.get("status") or {}).get("conditions"), "Ready") or {}
    return bool(condition.get("status") == "True")
