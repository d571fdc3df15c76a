"""Resolving a Bot: from its spec and what that refers to, to everything that its children are made from."""

from __future__ import annotations

from collections.abc import Mapping

from botyard.contract import names
from botyard.contract.bot import BotConfig, Entrypoint, Limits
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Artifact as StoredArtifact
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.inputs import Artifact, BotInputs, Layer
from botyard_operator.reconcile.artifact_tokens import tokens_in_use
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.problems import Blocked, Problem


async def resolve(bot: Bot, live: JsonObject | None, ctx: Context) -> BotInputs:
    """Return the inputs of a Bot's children.

    Args:
        bot: The Bot.
        live: Its Deployment as it is, or None.
        ctx: Where the Bundle and the Secrets are read.

    Raises:
        Blocked: Something that the spec refers to is missing or not ready.
    """
    bundle = _bundle(bot, ctx)
    stored = _artifact(bundle)
    layer = bundle.status.layer
    credentials = await _credentials(bot, ctx)
    settings = ctx.settings
    return BotInputs(
        name=bot.metadata.name,
        namespace=bot.metadata.namespace,
        uid=bot.metadata.uid,
        replicas=bot.spec.replicas,
        artifact=Artifact(revision=_steady_revision(stored, live), digest=stored.digest, url=stored.url),
        layer=Layer(digest=layer.digest, url=layer.url) if layer is not None else None,
        config=_config(bot, bundle),
        runtime_image=settings.runtime_image,
        image_pull_policy=settings.runtime_image_pull_policy,
        redis_url=settings.redis_url,
        artifact_tokens=tokens_in_use(
            Key("Bot", bot.metadata.namespace, bot.metadata.name),
            bot.metadata.uid,
            [stored.digest, *([layer.digest] if layer is not None else ())],
            live,
            caches=ctx.caches,
            artifact_key=settings.artifact_key,
        ),
        credentials=credentials,
        resources=bot.spec.resources.model_dump(mode="json", exclude_defaults=True),
        progress_deadline_seconds=max(1, int(bot.spec.rollout.progress_deadline.seconds)),
        system_namespace=settings.system_namespace,
        network_policy=settings.network_policies,
    )


def _bundle(bot: Bot, ctx: Context) -> Bundle:
    reference = bot.spec.bundle_ref
    namespace = bot.metadata.namespace
    found = ctx.caches.get("Bundle", namespace, reference.name)
    if found is None:
        message = (
            f"Bundle {reference.name} does not exist in namespace {namespace}: create it or correct spec.bundleRef"
        )
        raise Blocked(Problem(Reason.BUNDLE_NOT_FOUND, message))
    try:
        bundle = Bundle.parse(found)
    except InvalidObject as error:
        message = f"Bundle {namespace}/{reference.name} is invalid: {error.path}: {error.message}"
        raise Blocked(Problem(Reason.BUNDLE_NOT_READY, message)) from error
    return bundle


def _artifact(bundle: Bundle) -> StoredArtifact:
    where = f"Bundle {bundle.metadata.namespace}/{bundle.metadata.name}"
    artifact = bundle.status.artifact
    if artifact is None or not artifact.digest or not artifact.url:
        raise Blocked(Problem(Reason.BUNDLE_NOT_READY, f"{where} has no revision to run yet{_why(bundle)}"))
    return artifact


def _why(bundle: Bundle) -> str:
    ready = next((condition for condition in bundle.status.conditions if condition.type == "Ready"), None)
    return f": {ready.message}" if ready is not None and ready.message else ""


def _steady_revision(stored: StoredArtifact, live: JsonObject | None) -> str:
    """Return the revision to show on the pods.

    A commit that leaves the bundle's content as it was is no reason to replace pods: while the digest is the running
    one, the template keeps the revision that it was made with.
    """
    if live is None:
        return stored.revision
    from_template = running(live)
    return from_template[0] if from_template and from_template[1] == stored.digest else stored.revision


def running(live: JsonObject) -> tuple[str, str] | None:
    """Return revision and digest in a Deployment's pod template, or None where it has none."""
    template = (live.get("spec") or {}).get("template") or {}
    revision = ((template.get("metadata") or {}).get("annotations") or {}).get(names.ANNOTATION_REVISION)
    for container in (template.get("spec") or {}).get("initContainers") or ():
        for entry in container.get("env") or ():
            if entry.get("name") == names.ENV_ARTIFACT_DIGEST and revision and entry.get("value"):
                return str(revision), str(entry["value"])
    return None


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


def _config(bot: Bot, bundle: Bundle) -> BotConfig:
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
        events_allow=bot.spec.events.allow if bot.spec.events is not None else (),
    )
