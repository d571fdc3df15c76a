"""Reconciles a Bot: its children from its spec, its status from its children."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from botyard.contract import names
from botyard_operator.api.base import Model
from botyard_operator.api.bot import Bot, FailedRevision, GoodRevision, ScenarioRun
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.api.unsupported import unsupported_fields
from botyard_operator.builders.children import children
from botyard_operator.builders.labels import selector_text
from botyard_operator.builders.pod_template import PodTemplateRefused
from botyard_operator.clock import SystemClock
from botyard_operator.conditions import ConditionState, find, ready, reconciling, stalled
from botyard_operator.reconcile.base import Context, JsonObject, Key, Result, RetryLater
from botyard_operator.reconcile.bot_inputs import Resolved, resolve
from botyard_operator.reconcile.budgets import exceeded
from botyard_operator.reconcile.ownership import apply_changed, delete_unwanted, owned
from botyard_operator.reconcile.problems import Blocked, Problem
from botyard_operator.reconcile.refresh import dated, read_live, refresh_pods
from botyard_operator.reconcile.rollout import Rollout, observe
from botyard_operator.reconcile.state_gate import StateGate, standing
from botyard_operator.reconcile.status import report
from botyard_operator.reconcile.taking_back import failure, proven
from botyard_operator.sessions import Sessions
from botyard_operator.spending import Spending

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 0.25
"""Pause between a change of the children and the report: by then their controllers have answered, and one write tells
what two or three would have told."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one pass found and did."""

    problem: Problem | None = None
    bot: Bot | None = None
    resolved: Resolved | None = None
    wrote: bool = False

    @property
    def again(self) -> float | None:
        """Seconds after which the Bot is looked at without any event."""
        return self.resolved.again if self.resolved is not None else None


class BotReconciler:
    """Reconciles keys of kind `Bot`."""

    def __init__(self, spending: Spending | None = None, sessions: Sessions | None = None) -> None:
        self._spending = spending or Spending(None, SystemClock())
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
        went_back = await self._report(key, current, outcome, ctx)
        if outcome.problem is not None and outcome.problem.retry:
            raise RetryLater(outcome.problem.message)
        return Result(requeue_after=0.0 if went_back else outcome.again)

    async def _converge(self, key: Key, obj: JsonObject, ctx: Context) -> _Outcome:
        try:
            bot = Bot.parse(obj)
        except InvalidObject as error:
            message = f"{error.path} {error.message}"
            return _Outcome(Problem(Reason.INVALID_SPEC, message, stalled=True))
        if bot.spec.suspend:
            return _Outcome(bot=bot)
        unsupported = unsupported_fields("Bot", bot.spec)
        if unsupported:
            message = "; ".join(field.message for field in unsupported)
            return _Outcome(Problem(Reason.FIELD_NOT_SUPPORTED, message, stalled=True), bot)
        live = ctx.caches.get("Deployment", key.namespace, key.name)
        resolved: Resolved | None = None
        try:
            resolved = await resolve(bot, live, self._gate, ctx)
            if resolved.nothing_to_run:
                return _Outcome(resolved.held, bot, resolved)
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
            return _Outcome(blocked.problem, bot, resolved)
        except PodTemplateRefused as error:
            return _Outcome(Problem(Reason.INVALID_SPEC, str(error), stalled=True), bot, resolved)
        problem = await refresh_pods(key, ctx) or resolved.held or _default_conflict(key, bot, ctx)
        return _Outcome(problem, bot, resolved, bool(written))

    async def _report(self, key: Key, obj: JsonObject, outcome: _Outcome, ctx: Context) -> bool:
        """Write the status; return whether it says for the first time that a revision failed."""
        deployment = ctx.caches.get("Deployment", key.namespace, key.name)
        rollout: Rollout | None = None
        if deployment is not None and owned(deployment, obj["metadata"]["uid"]):
            rollout = observe(deployment, ctx.caches.children(key, "Pod"))
        history = _history(outcome, rollout, deployment)
        suspended = bool(obj["spec"].get("suspend"))
        states = conditions(rollout, outcome.problem, suspended=suspended, failed=history.failed, sleeps=_sleeps(obj))
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
            "previousRevision": history.previous,
            "goodRevision": _dump(history.good),
            "failedRevision": _dump(history.failed),
            "scenarios": _dump(_scenarios(outcome)),
            "url": f"{ctx.settings.gateway_base_url}/v1/namespaces/{key.namespace}/bots/{key.name}",
            "personas": {"total": total, "ready": count},
            "spentToday": spent.coins if spent is not None else before.get("spentToday"),
        }
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
        return history.went_back


@dataclass(frozen=True, slots=True)
class _History:
    """Which revisions ran well, and which did not."""

    good: GoodRevision | None = None
    previous: str | None = None
    failed: FailedRevision | None = None
    went_back: bool = False


def _history(outcome: _Outcome, rollout: Rollout | None, deployment: JsonObject | None) -> _History:
    bot, resolved = outcome.bot, outcome.resolved
    if bot is None:
        return _History()
    if rollout is None:
        return _History(bot.status.good_revision, bot.status.previous_revision or None)
    good, previous = proven(bot, rollout, deployment)
    if resolved is None:
        return _History(good, previous, bot.status.failed_revision)
    found = failure(bot, resolved.inputs, rollout) if resolved.failed is None else None
    return _History(good, previous, resolved.failed or found, went_back=found is not None)


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


def conditions(
    rollout: Rollout | None,
    problem: Problem | None,
    *,
    suspended: bool = False,
    failed: FailedRevision | None = None,
    sleeps: bool = False,
) -> list[ConditionState]:
    """Return the conditions of a Bot.

    Args:
        rollout: What its Deployment tells; None while there is none.
        problem: What keeps its spec from being in force.
        suspended: Whether nothing is done about differences.
        failed: The revision that the spec asks for, where it was taken back.
        sleeps: Whether demand brings it from no replicas back to one.
    """
    states = [_ready(rollout, problem, sleeps=sleeps)]
    moving = _moving(rollout)
    if problem is not None and problem.stalled:
        states.append(stalled(problem.reason, problem.message))
    elif problem is not None:
        states.append(reconciling(problem.reason, problem.message))
    elif moving is not None and rollout is not None and rollout.overdue and not suspended:
        cause = rollout.problem
        states.append(
            stalled(moving.reason, moving.message)
            if cause is None
            else stalled(cause.reason, f"{cause.message} ({rollout.overdue})")
        )
    elif failed is not None:
        states.append(stalled(failed.reason, _taken_back(failed)))
    elif moving is not None and not suspended:
        states.append(reconciling(moving.reason, moving.message))
    about_bundle = problem is not None and problem.reason in _BUNDLE_REASONS
    if about_bundle and problem is not None:
        states.append(ConditionState(ConditionType.BUNDLE_READY, "False", problem.reason, problem.message))
    elif (problem is None or problem.reason in _GATE_REASONS) and not suspended:
        message = "the Bundle has a revision to run"
        states.append(ConditionState(ConditionType.BUNDLE_READY, "True", Reason.SUCCEEDED, message))
    if problem is None and moving is None and failed is not None:
        moving = Problem(Reason.PROGRESS_DEADLINE_EXCEEDED, _taken_back(failed))
    states.append(_rolled_out(rollout, problem, moving))
    return states


def _taken_back(failed: FailedRevision) -> str:
    return (
        f"{failed.revision} failed within spec.rollout.progressDeadline and was taken back: {failed.message}; a new "
        f"revision, or a change of what it needs, is tried at once; the annotation {names.ANNOTATION_REQUESTED_AT} "
        "tries this one again"
    )


_BUNDLE_REASONS = frozenset({Reason.BUNDLE_NOT_FOUND, Reason.BUNDLE_NOT_READY})
_GATE_REASONS = frozenset(
    {
        Reason.COUNTING_CONVERSATIONS,
        Reason.CONVERSATIONS_NOT_COUNTED,
        Reason.STATE_INCOMPATIBLE,
        Reason.SCENARIOS_RUNNING,
        Reason.SCENARIOS_FAILED,
    }
)


def _sleeps(obj: JsonObject) -> bool:
    return bool((obj.get("spec") or {}).get("autoscaling"))


def _ready(rollout: Rollout | None, problem: Problem | None, *, sleeps: bool) -> ConditionState:
    if rollout is None:
        if problem is None:
            return ready("False", Reason.PROGRESSING, "the Deployment is being created")
        return ready("False", problem.reason, problem.message)
    if rollout.wanted == 0 and sleeps:
        return ready("True", Reason.ASLEEP, "asleep: no event waits; the next one wakes it")
    if rollout.wanted == 0:
        return ready("True", Reason.STOPPED, "stopped: spec.replicas is 0")
    if rollout.available > 0:
        message = f"{rollout.available} of {rollout.wanted} replicas are available"
        return ready("True", Reason.SUCCEEDED, message)
    if rollout.problem is not None:
        return ready("False", rollout.problem.reason, rollout.problem.message)
    if problem is not None:
        return ready("False", problem.reason, problem.message)
    if rollout.overdue:
        return ready("False", Reason.PROGRESS_DEADLINE_EXCEEDED, rollout.overdue)
    return ready("False", Reason.PODS_NOT_READY, f"none of {rollout.wanted} replicas is available yet")


def _moving(rollout: Rollout | None) -> Problem | None:
    if rollout is None:
        return Problem(Reason.PROGRESSING, "the Deployment is being created")
    if rollout.complete:
        return None
    if rollout.overdue:
        cause = rollout.problem.message if rollout.problem is not None else "look at the pods' events and logs"
        return Problem(Reason.PROGRESS_DEADLINE_EXCEEDED, f"{rollout.overdue}: {cause}")
    if rollout.problem is not None:
        return rollout.problem
    if rollout.available == 0:
        return Problem(Reason.PODS_NOT_READY, f"none of {rollout.wanted} replicas is available yet")
    message = f"{rollout.updated} of {rollout.wanted} replicas run the newest revision and configuration"
    return Problem(Reason.ROLLING_OUT, message)


def _rolled_out(rollout: Rollout | None, problem: Problem | None, moving: Problem | None) -> ConditionState:
    if problem is not None:
        return ConditionState(ConditionType.ROLLED_OUT, "False", problem.reason, problem.message)
    if moving is not None:
        return ConditionState(ConditionType.ROLLED_OUT, "False", moving.reason, moving.message)
    revision = rollout.revision if rollout is not None else ""
    return ConditionState(ConditionType.ROLLED_OUT, "True", Reason.SUCCEEDED, f"all replicas run {revision}")


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
