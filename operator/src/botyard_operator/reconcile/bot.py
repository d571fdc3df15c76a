"""Reconciles a Bot: its children from its spec, its status from its children."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from botyard.contract import names
from botyard_operator.api.base import Model
from botyard_operator.api.bot import Bot, ScenarioRun
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.children import children
from botyard_operator.builders.labels import selector_text
from botyard_operator.builders.pod_template import PodTemplateRefused
from botyard_operator.clock import SystemClock
from botyard_operator.conditions import ConditionState, find
from botyard_operator.ramps import Ramps
from botyard_operator.reconcile.base import Context, JsonObject, Key, Result, RetryLater
from botyard_operator.reconcile.bot_conditions import conditions
from botyard_operator.reconcile.bot_history import history
from botyard_operator.reconcile.bot_inputs import Resolved, resolve
from botyard_operator.reconcile.budgets import exceeded
from botyard_operator.reconcile.ownership import apply_changed, delete_unwanted, owned
from botyard_operator.reconcile.problems import Blocked, Problem
from botyard_operator.reconcile.refresh import dated, read_live, refresh_pods
from botyard_operator.reconcile.rollout import Rollout, observe
from botyard_operator.reconcile.scaling_conflict import AGAIN_SECONDS, scaling_conflict
from botyard_operator.reconcile.state_gate import StateGate, standing
from botyard_operator.reconcile.status import report
from botyard_operator.sessions import Sessions
from botyard_operator.spending import Spending

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 0.25
"""Pause between a change of the children and the report: by then their controllers have answered, and one write tells
what two or three would have told."""
_OF_REVISIONS = ("previousRevision", "goodRevision", "failedRevision", "ramp", "scenarios")
"""Fields of the status that nothing else remembers."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one pass found and did."""

    problem: Problem | None = None
    bot: Bot | None = None
    resolved: Resolved | None = None
    wrote: bool = False
    scaled: ConditionState | None = None
    """Who else scales the Bot."""

    @property
    def ramping(self) -> Problem | None:
        """What to tell of a ramp that is under way."""
        found = self.resolved.ramping if self.resolved is not None else None
        return found.problem if found is not None and found.status.share > 0 else None

    @property
    def again(self) -> float | None:
        """Seconds after which the Bot is looked at without any event."""
        found = self.resolved.again if self.resolved is not None else None
        return found if self.scaled is None else min(found or AGAIN_SECONDS, AGAIN_SECONDS)


class BotReconciler:
    """Reconciles keys of kind `Bot`."""

    def __init__(
        self, spending: Spending | None = None, sessions: Sessions | None = None, ramps: Ramps | None = None
    ) -> None:
        self._spending = spending or Spending(None, SystemClock())
        self._ramps = ramps or Ramps(None, SystemClock())
        self._gate = StateGate(sessions or Sessions(None, SystemClock()))

    async def reconcile(self, key: Key, ctx: Context) -> Result:
        """Bring the children of a Bot to what its spec says, and its status to what its children are."""
        obj = ctx.caches.get("Bot", key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            self._gate.forget(key)
            return Result()  # The children go with their owner.
        outcome = await self._converge(key, obj, ctx)
        if outcome.wrote and outcome.problem is None and not _news_of_scenarios(outcome):
            return Result(requeue_after=SETTLE_SECONDS)
        current = ctx.caches.get("Bot", key.namespace, key.name)
        if current is None:
            return Result()
        turns = await self._report(key, current, outcome, ctx)
        if outcome.problem is not None and outcome.problem.retry:
            raise RetryLater(outcome.problem.message)
        return Result(requeue_after=0.0 if turns else outcome.again)

    async def _converge(self, key: Key, obj: JsonObject, ctx: Context) -> _Outcome:
        try:
            bot = Bot.parse(obj)
        except InvalidObject as error:
            message = f"{error.path} {error.message}"
            return _Outcome(Problem(Reason.INVALID_SPEC, message, stalled=True))
        if bot.spec.suspend:
            return _Outcome(bot=bot)
        # Before all that may end the pass: the autoscaler stands aside for as long as the status tells of it.
        scaled = await scaling_conflict(bot, ctx)
        live = ctx.caches.get("Deployment", key.namespace, key.name)
        resolved: Resolved | None = None
        try:
            resolved = await resolve(bot, live, self._gate, ctx)
            if resolved.nothing_to_run:
                return _Outcome(resolved.held, bot, resolved, scaled=scaled)
            now = ctx.clock.now()
            wanted = [
                dated(child, bot=key, caches=ctx.caches, now=now) if read_live(child) else child
                for child in children(resolved.inputs)
            ]
            written = await apply_changed(wanted, key, bot.metadata.uid, ctx)
            for kind in ("PodDisruptionBudget", "NetworkPolicy", "Secret"):
                kept = {child["metadata"]["name"] for child in wanted if child["kind"] == kind}
                kept |= resolved.scenarios.objects if resolved.scenarios is not None else set()
                kept.add(names.persona_secrets_name(key.name))
                await delete_unwanted(kind, kept, key, bot.metadata.uid, ctx)
        except Blocked as blocked:
            return _Outcome(blocked.problem, bot, resolved, scaled=scaled)
        except PodTemplateRefused as error:
            return _Outcome(Problem(Reason.INVALID_SPEC, str(error), stalled=True), bot, resolved, scaled=scaled)
        problem = await refresh_pods(key, ctx) or resolved.held or _default_conflict(key, bot, ctx)
        return _Outcome(problem, bot, resolved, bool(written), scaled)

    async def _report(self, key: Key, obj: JsonObject, outcome: _Outcome, ctx: Context) -> bool:
        """Write the status; return whether what it tells is to be acted on at once."""
        deployment = ctx.caches.get("Deployment", key.namespace, key.name)
        rollout: Rollout | None = None
        if deployment is not None and owned(deployment, obj["metadata"]["uid"]):
            rollout = observe(deployment, ctx.caches.children(key, "Pod"))
        told = history(outcome.bot, outcome.resolved, rollout, deployment, self._ramps.of(key))
        suspended = bool(obj["spec"].get("suspend"))
        states = conditions(
            rollout,
            outcome.problem,
            suspended=suspended,
            failed=told.failed,
            sleeps=_sleeps(obj),
            ramping=outcome.ramping,
        )
        if outcome.scaled is not None:
            states.append(outcome.scaled)
        if (compatible := _compatible(obj, outcome)) is not None:
            states.append(compatible)
        spent = self._spending.of(key)
        limit = (obj["spec"].get("budget") or {}).get("daily")
        if (over := exceeded(f"Bot {key.name}", spent, limit, obj.get("status") or {})) is not None:
            states.append(over)
        revision = rollout.revision if rollout is not None else ""
        before = obj.get("status") or {}
        total, count = _personas(key, ctx)
        fields = {
            "replicas": rollout.existing if rollout else 0,
            "readyReplicas": rollout.ready if rollout else 0,
            "selector": selector_text(key.name),
            "revision": revision or None,
            "previousRevision": told.previous,
            "goodRevision": _dump(told.good),
            "failedRevision": _dump(told.failed),
            "ramp": _dump(told.ramp),
            "scenarios": _dump(_scenarios(outcome)),
            "url": f"{ctx.settings.gateway_base_url}/v1/namespaces/{key.namespace}/bots/{key.name}",
            "personas": {"total": total, "ready": count},
            "spentToday": spent.coins if spent is not None else before.get("spentToday"),
        }
        if outcome.bot is None:  # A spec that cannot be read says nothing of them.
            fields |= {name: before.get(name) for name in _OF_REVISIONS}
        if await report(obj, states, fields, ctx):
            logger.info(
                "bot reported",
                extra={
                    "kind": "Bot",
                    "namespace": key.namespace,
                    "object": key.name,
                    "revision": revision,
                    "reason": states[0].reason,
                },
            )
        return told.turns


def _scenarios(outcome: _Outcome) -> ScenarioRun | None:
    """Return what is known of the scenarios of the newest revision, or of the one before while nothing newer is."""
    gate = outcome.resolved.scenarios if outcome.resolved is not None else None
    if gate is not None:
        return gate.run
    return outcome.bot.status.scenarios if outcome.bot is not None else None


def _news_of_scenarios(outcome: _Outcome) -> bool:
    """Whether scenarios came to an end that the status does not tell: it must, before their revision runs."""
    return outcome.bot is not None and _scenarios(outcome) != outcome.bot.status.scenarios


def _compatible(obj: JsonObject, outcome: _Outcome) -> ConditionState | None:
    verdict = outcome.resolved.verdict if outcome.resolved is not None else None
    return verdict.condition if verdict is not None else standing(obj)


def _dump(part: Model | None) -> JsonObject | None:
    return None if part is None else part.model_dump(by_alias=True, exclude_defaults=True)


def _sleeps(obj: JsonObject) -> bool:
    return bool((obj.get("spec") or {}).get("autoscaling"))


def _default_conflict(key: Key, bot: Bot, ctx: Context) -> Problem | None:
    if not bot.spec.default:
        return None
    others = [
        other["metadata"]["name"]
        for other in ctx.caches.list("Bot", key.namespace)
        if (other.get("spec") or {}).get("default") and other["metadata"]["name"] != key.name
    ]
    if not others:
        return None
    message = (
        f"spec.default is true in {', '.join(sorted(others))} of namespace {key.namespace} too: "
        "leave it true in one Bot; until then the oldest is the default"
    )
    return Problem(Reason.DEFAULT_CONFLICT, message, stalled=True)


def _personas(key: Key, ctx: Context) -> tuple[int, int]:
    total = ready_count = 0
    for dependent in ctx.caches.dependents(key):
        persona = ctx.caches.get(dependent.kind, dependent.namespace, dependent.name)
        if persona is None:
            continue
        total += 1
        condition = find((persona.get("status") or {}).get("conditions"), "Ready")
        ready_count += bool(condition and condition.get("status") == "True")
    return total, ready_count
