"""Resolving a Bot: from its spec and what that refers to, to everything that its children are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from botyard.contract import names
from botyard.contract.bot import BotConfig, Entrypoint, Limits
from botyard.contract.model import ModelConfig
from botyard.contract.prices import PRICES_FILE
from botyard.contract.spending import BotBudget, UserQuotas
from botyard_operator.api.bot import Bot, FailedRevision
from botyard_operator.api.bundle import Bundle, Revision
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.inputs import Artifact, BotInputs, Draining, Layer, Tracing
from botyard_operator.reconcile import ramp, scenario_gate
from botyard_operator.reconcile.artifact_tokens import tokens_in_use
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.bot_models import models_of
from botyard_operator.reconcile.problems import Blocked, Problem
from botyard_operator.reconcile.ramp import Pods, Ramping
from botyard_operator.reconcile.revision_choice import draining_revision, find_bundle, running_revision, wanted_revision
from botyard_operator.reconcile.rollout import observe
from botyard_operator.reconcile.scenario_gate import Gate
from botyard_operator.reconcile.state_gate import StateGate, Verdict
from botyard_operator.reconcile.taking_back import given_up, good_revision
from botyard_operator.sessions import FRESH_SECONDS


@dataclass(frozen=True, slots=True)
class Resolved:
    """What to make the children from."""

    inputs: BotInputs
    failed: FailedRevision | None = None
    """The revision that the spec asks for, where it failed and the last good one runs in its place."""
    verdict: Verdict | None = None
    """Whether that revision could go on with the stored conversations."""
    scenarios: Gate | None = None
    """Whether its scenarios let it take over; None: nothing is known."""
    nothing_to_run: bool = False
    """No revision may run yet."""
    ramping: Ramping | None = None
    """How far the revision has got where it takes over step by step."""

    @property
    def held(self) -> Problem | None:
        """What keeps the revision that the spec asks for from taking over."""
        gates = (self.verdict, self.scenarios)
        return next((gate.problem for gate in gates if gate is not None and gate.problem is not None), None)

    @property
    def again(self) -> float | None:
        """Seconds after which a gate looks again, or a ramp takes its next step."""
        waiting = (self.verdict, self.scenarios, self.ramping)
        return min((each.again for each in waiting if each is not None and each.again is not None), default=None)


async def resolve(bot: Bot, live: JsonObject | None, gate: StateGate, ctx: Context) -> Resolved:
    """Return the inputs of a Bot's children.

    Args:
        bot: The Bot.
        live: Its Deployment as it is, or None.
        gate: What a new revision has to pass.
        ctx: Where the Bundle and the Secrets are read.

    Raises:
        Blocked: Something that the spec refers to is missing or not ready.
    """
    bundle = await find_bundle(bot, ctx)
    stored = wanted_revision(bot, bundle, live)
    credentials = await _credentials(bot, ctx)
    models = await models_of(bot, ctx)
    settings = ctx.settings
    inputs = BotInputs(
        name=bot.metadata.name,
        namespace=bot.metadata.namespace,
        uid=bot.metadata.uid,
        replicas=bot.spec.replicas,
        artifact=_steady(stored, live),
        layer=_layer(stored),
        config=_config(bot, bundle, models.config),
        prices=await _prices(bot.metadata.namespace, ctx),
        runtime_image=settings.runtime_image,
        image_pull_policy=settings.runtime_image_pull_policy,
        redis_url=settings.redis_url,
        artifact_tokens=_tokens(bot, stored, live, ctx),
        credentials=credentials,
        model_keys=models.keys,
        scripts=models.scripts,
        resources=bot.spec.resources.model_dump(mode="json", exclude_defaults=True),
        pod_template=bot.spec.pod_template,
        progress_deadline_seconds=max(1, int(bot.spec.rollout.progress_deadline.seconds)),
        system_namespace=settings.system_namespace,
        network_policy=settings.network_policies,
        tracing=Tracing(settings.tracing_endpoint, settings.tracing_ratio) if settings.tracing_endpoint else None,
    )
    failed, verdict, scenarios, ramping = given_up(bot, inputs), None, None, None
    if failed is None:
        pods, now = _pods(bot, live, ctx), ctx.clock.now()
        runs, beside = pods.runs, pods.beside
        ramping = ramp.decide(bot, inputs, pods, now)
        on_its_way = ramping is not None and not ramping.finished
        verdict = await gate.judge(bot, bundle, stored, runs, None if on_its_way else beside, ctx)
        if not verdict.holds and (waits := ramp.waits(bot, inputs, pods)) is not None:
            verdict = replace(verdict, holds=True, problem=waits, again=FRESH_SECONDS)
        if not verdict.holds:
            scenarios = await scenario_gate.look(bot, bundle, inputs, runs, ctx)
        if scenarios is not None and scenarios.holds and runs is None:
            return Resolved(inputs, None, verdict, scenarios, nothing_to_run=True)
        drain = verdict.drain
        if (verdict.holds or (scenarios is not None and scenarios.holds)) and runs is not None:
            inputs, drain = _of(inputs, bot, runs, live, ctx), beside
            failed = given_up(bot, inputs)  # What runs may have failed, too.
            ramping = ramp.decide(bot, inputs, pods, now) if failed is None else None
        if ramping is not None and not ramping.finished:
            drain = ramping.previous
        if drain is not None and failed is None:
            inputs = _draining(inputs, bot, drain, live, ctx)
    if failed is not None:
        inputs = _of(inputs, bot, good_revision(bot, bundle, settings.artifact_base_url), live, ctx)
    ramped = inputs.config.model_copy(update={"ramp": ramp.configured(bot, inputs, ramping)})
    return Resolved(replace(inputs, config=ramped), failed, verdict, scenarios, ramping=ramping)


def _pods(bot: Bot, live: JsonObject | None, ctx: Context) -> Pods:
    runs = running_revision(live)
    if live is None or runs is None:
        return Pods()
    key = Key("Bot", bot.metadata.namespace, bot.metadata.name)
    return Pods(runs, draining_revision(live), observe(live, ctx.caches.children(key, "Pod")))


def _of(inputs: BotInputs, bot: Bot, revision: Revision, live: JsonObject | None, ctx: Context) -> BotInputs:
    """Return the inputs with another revision than the spec asks for."""
    tokens = _tokens(bot, revision, live, ctx)
    return replace(inputs, artifact=_steady(revision, live), layer=_layer(revision), artifact_tokens=tokens)


def _draining(inputs: BotInputs, bot: Bot, revision: Revision, live: JsonObject | None, ctx: Context) -> BotInputs:
    """Return the inputs with an older revision on which conversations end."""
    artifact = Artifact(revision=revision.revision, digest=revision.digest, url=revision.url)
    tokens = {**inputs.artifact_tokens, **_tokens(bot, revision, live, ctx)}
    return replace(inputs, draining=Draining(artifact, _layer(revision)), artifact_tokens=tokens)


def _steady(stored: Revision, live: JsonObject | None) -> Artifact:
    """Return the artifact with the revision to show on the pods.

    A commit that leaves the bundle's content as it was is no reason to replace pods: while the digest is the running
    one, the template keeps the revision that it was made with.
    """
    runs = running_revision(live)
    revision = runs.revision if runs is not None and runs.digest == stored.digest else stored.revision
    return Artifact(revision=revision, digest=stored.digest, url=stored.url)


def _layer(stored: Revision) -> Layer | None:
    return Layer(digest=stored.layer.digest, url=stored.layer.url) if stored.layer is not None else None


def _tokens(bot: Bot, stored: Revision, live: JsonObject | None, ctx: Context) -> Mapping[str, bytes]:
    return tokens_in_use(
        Key("Bot", bot.metadata.namespace, bot.metadata.name),
        bot.metadata.uid,
        [stored.digest, *([stored.layer.digest] if stored.layer is not None else ())],
        live,
        caches=ctx.caches,
        artifact_key=ctx.settings.artifact_key,
    )


async def _credentials(bot: Bot, ctx: Context) -> Mapping[str, bytes]:
    values: dict[str, bytes] = {}
    for credential in bot.spec.credentials:
        reference = credential.secret_key_ref
        data = await ctx.kube.secret(bot.metadata.namespace, reference.name)
        if data is None:
            message = (
                f"Secret {reference.name} of credential {credential.name} does not exist in namespace "
                f"{bot.metadata.namespace}: create it"
            )
            raise Blocked(Problem(Reason.REFERENCE_NOT_FOUND, message))
        if reference.key not in data:
            present = ", ".join(sorted(data)) or "no entries"
            message = (
                f"Secret {reference.name} of credential {credential.name} has no entry {reference.key} "
                f"(it has {present}): add the entry or correct spec.credentials"
            )
            raise Blocked(Problem(Reason.REFERENCE_INVALID, message))
        values[credential.name] = data[reference.key]
    return values


async def _prices(namespace: str, ctx: Context) -> str:
    """Return the price table of a namespace: its own, else the installation's."""
    for place in (namespace, ctx.settings.system_namespace):
        found = await ctx.kube.config_map(place, names.PRICES_NAME)
        if found is not None and found.get(PRICES_FILE):
            return found[PRICES_FILE]
    return ""


def _config(bot: Bot, bundle: Bundle, model: ModelConfig | None) -> BotConfig:
    entrypoint = bundle.spec.entrypoint
    limits = bot.spec.limits
    # `generation` is left out on purpose: it grows with every scaling, and each new content is written and mounted.
    return BotConfig(
        namespace=bot.metadata.namespace,
        name=bot.metadata.name,
        entrypoint=Entrypoint(model=entrypoint.model, module=entrypoint.module or "", symbol=entrypoint.symbol or ""),
        limits=Limits(
            turn_timeout_seconds=limits.turn_timeout.seconds,
            max_input_bytes=limits.max_input.bytes,
            concurrency=limits.concurrency,
            workers=limits.workers,
        ),
        config=bot.spec.config,
        budget=BotBudget(daily=bot.spec.budget.daily if bot.spec.budget is not None else None),
        quotas=_quotas(bot),
        on_incompatible_state=bot.spec.rollout.on_incompatible_state,
        model=model,
    )


def _quotas(bot: Bot) -> UserQuotas:
    if bot.spec.quotas is None:
        return UserQuotas()
    each = bot.spec.quotas.per_user
    return UserQuotas(
        requests_per_day=each.requests_per_day, tokens_per_hour=each.tokens_per_hour, concurrent=each.concurrent
    )
