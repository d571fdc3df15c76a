"""Scenarios before a revision takes over (`spec.rollout.scenarios`).

A revision that brings scenarios is given to the Deployment once a Job has run them and all passed; until then, and
for as long as they fail, the Bot goes on with the revision that it runs. What came of the run is kept in
`status.scenarios` with the digest of everything that decides it, so nothing is run twice; the annotation
botyard.dev/requestedAt runs failed ones again. Level-triggered: what is known is used, what runs is waited for, what is
neither is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from botyard.contract import names
from botyard.contract.scenarios import ScenarioReport
from botyard_operator.api.bot import Bot, ScenarioRun
from botyard_operator.api.bundle import Bundle, Revision
from botyard_operator.api.reasons import Reason
from botyard_operator.artifacts.tokens import token_for
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.scenario_job import COMPONENT, ScenarioInputs, job_name, object_name, scenario_objects
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.ownership import apply_changed
from botyard_operator.reconcile.pods import pod_problem
from botyard_operator.reconcile.problems import Problem

LOOK_SECONDS = 3.0
"""Pause between two looks at a Job that runs."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a revision may take over.

    Attributes:
        run: What is known of its scenarios; None: nothing was run.
        problem: What is wrong, or waited for.
        holds: The revision may not take over, or not yet.
        again: Seconds until the next look; None: nothing is waited for.
        objects: Names of the Secret and the NetworkPolicy of a run that is under way.
    """

    run: ScenarioRun | None = None
    problem: Problem | None = None
    holds: bool = False
    again: float | None = None
    objects: frozenset[str] = frozenset()


async def look(bot: Bot, bundle: Bundle, inputs: BotInputs, runs: Revision | None, ctx: Context) -> Gate:
    """Return whether the revision in `inputs` may take over, running its scenarios where that is due.

    Args:
        bot: The Bot.
        bundle: Its Bundle.
        inputs: What the spec asks for.
        runs: The revision in its Deployment; None: there is none.
        ctx: Where objects are read and written.
    """
    known = bot.status.scenarios
    mode = bot.spec.rollout.scenarios
    if mode == "Skip" or not _has_scenarios(bundle):
        return Gate()
    wanted = _inputs(inputs, ctx)
    attempt = wanted.attempt()
    if known is not None and known.attempt == attempt and (known.passed or not _requested(bot)):
        return judged(known, mode)
    if runs is not None and runs.digest == inputs.artifact.digest:
        return Gate(known)  # It took over already: with another image, or before there was a gate.
    if _ran_well(bot, inputs.artifact.revision):
        return Gate(known)  # A way back must not wait.
    return await _follow(wanted, attempt, mode, ctx, again=known is not None and known.attempt == attempt)


def judged(run: ScenarioRun, mode: str) -> Gate:
    """Return what a run means: failed scenarios hold the revision up, or are only told."""
    if run.passed or mode == "Advisory":
        return Gate(run)
    message = run.message
    if run.total:
        message = f"{run.failed} of {run.total} scenarios of {run.revision} fail: {message}"
    message += (
        "; a new revision is tried at once, the annotation "
        f"{names.ANNOTATION_REQUESTED_AT} tries this one again (spec.rollout.scenarios)"
    )
    return Gate(run, Problem(Reason.SCENARIOS_FAILED, message, stalled=True), holds=True)


async def _follow(wanted: ScenarioInputs, attempt: str, mode: str, ctx: Context, *, again: bool) -> Gate:
    key = Key("Job", wanted.namespace, job_name(wanted.bot, attempt))
    job = await ctx.kube.get(key)
    if job is not None and again and _finished(job):
        # Somebody asked for another run of scenarios that failed.
        await ctx.kube.delete(key, uid=job["metadata"]["uid"])
        return _running(wanted, "a former run is cleared away", 1.0)
    if job is None:
        await apply_changed(scenario_objects(wanted), _owner(wanted), wanted.uid, ctx)
        return _running(wanted, "its scenarios begin to run")
    pods = await ctx.kube.select("Pod", key.namespace, {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]})
    if not _finished(job):
        problem = next(filter(None, map(pod_problem, pods)), None)
        if problem is not None and problem.reason in {Reason.IMAGE_PULL_FAILED, Reason.UNSCHEDULABLE}:
            return _running(wanted, problem.message)
        return _running(wanted, "its scenarios run")
    return judged(_run(wanted, attempt, job, pods), mode)


def _run(wanted: ScenarioInputs, attempt: str, job: JsonObject, pods: Sequence[JsonObject]) -> ScenarioRun:
    """Return how a run ended."""
    revision = wanted.artifact.revision
    report = next(filter(None, map(_reported, pods)), None)
    if report is None:
        name = job["metadata"]["name"]
        why = next((problem.message for problem in map(pod_problem, pods) if problem is not None), "its pods are gone")
        if _condition(job, "Failed").get("reason") == "DeadlineExceeded":
            why = f"it did not end within {job['spec'].get('activeDeadlineSeconds')} s"
        message = f"Job {name} ended without saying how the scenarios of {revision} went: {why}"
        return ScenarioRun(revision=revision, attempt=attempt, message=message)
    first = report.failures[0] if report.failures else None
    said = f"{first.name!r} ({first.where}): {first.problem}" if first is not None else report.problem
    return ScenarioRun(
        revision=revision,
        attempt=attempt,
        total=report.total,
        failed=report.failed,
        passed=report.passed and _condition(job, "Complete").get("status") == "True",
        message="" if report.passed else said[:1000],
    )


def _reported(pod: JsonObject) -> ScenarioReport | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if container.get("name") == COMPONENT and ended.get("message"):
            try:
                return ScenarioReport.model_validate_json(ended["message"])
            except ValidationError:
                return None
    return None


def _running(wanted: ScenarioInputs, doing: str, again: float = LOOK_SECONDS) -> Gate:
    problem = Problem(Reason.SCENARIOS_RUNNING, f"{wanted.artifact.revision} takes over when they passed: {doing}")
    return Gate(None, problem, holds=True, again=again, objects=frozenset({object_name(wanted.bot)}))


def _inputs(inputs: BotInputs, ctx: Context) -> ScenarioInputs:
    settings, found = ctx.settings, inputs.config.entrypoint
    digests = [inputs.artifact.digest, *([inputs.layer.digest] if inputs.layer is not None else ())]
    return ScenarioInputs(
        bot=inputs.name,
        namespace=inputs.namespace,
        uid=inputs.uid,
        artifact=inputs.artifact,
        layer=inputs.layer,
        entrypoint=f"{found.module}:{found.symbol}".rstrip(":"),
        image=settings.runtime_image,
        image_pull_policy=settings.runtime_image_pull_policy,
        system_namespace=settings.system_namespace,
        tokens=tuple(token_for(settings.artifact_key, digest) for digest in digests),
        network_policy=settings.network_policies,
    )


def _ran_well(bot: Bot, revision: str) -> bool:
    """Whether a revision is the last one that ran well, or the one before it."""
    good = bot.status.good_revision
    return revision in {bot.status.previous_revision, good.revision if good is not None else ""} - {""}


def _has_scenarios(bundle: Bundle) -> bool:
    """Whether the newest revision brings scenarios, as its inspection told; a pinned older one is taken to, too."""
    return bundle.status.manifest is not None and bundle.status.manifest.scenarios > 0


def _requested(bot: Bot) -> bool:
    requested = bot.metadata.annotations.get(names.ANNOTATION_REQUESTED_AT, "")
    return requested != bot.status.last_handled_requested_at


def _owner(wanted: ScenarioInputs) -> Key:
    return Key("Bot", wanted.namespace, wanted.bot)


def _finished(job: JsonObject) -> bool:
    return any(_condition(job, type_).get("status") == "True" for type_ in ("Complete", "Failed"))


def _condition(job: JsonObject, type_: str) -> JsonObject:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == type_), {})
