"""Which Bundle a Bot runs, whether it may, and which of its revisions."""

from __future__ import annotations

from collections.abc import Mapping

from botyard.contract import names
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Artifact, Bundle, LabelSelector, Revision
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.deployment import DRAINING
from botyard_operator.reconcile.base import ApiError, Context, JsonObject, Key
from botyard_operator.reconcile.problems import Blocked, Problem


async def find_bundle(bot: Bot, ctx: Context) -> Bundle:
    """Return the Bundle of `spec.bundleRef`.

    Raises:
        Blocked: It does not exist, cannot be read, or may not be used from the Bot's namespace.
    """
    reference = bot.spec.bundle_ref
    namespace = reference.namespace or bot.metadata.namespace
    found = ctx.caches.get("Bundle", namespace, reference.name)
    if found is None:
        message = (
            f"Bundle {reference.name} does not exist in namespace {namespace}: create it or correct spec.bundleRef"
        )
        if ctx.settings.namespaces and namespace not in ctx.settings.namespaces:
            message = f"namespace {namespace} of Bundle {reference.name} is not among those that this operator serves"
        raise Blocked(Problem(Reason.BUNDLE_NOT_FOUND, message))
    try:
        bundle = Bundle.parse(found)
    except InvalidObject as error:
        message = f"Bundle {namespace}/{reference.name} is invalid: {error.path}: {error.message}"
        raise Blocked(Problem(Reason.BUNDLE_NOT_READY, message)) from error
    if namespace != bot.metadata.namespace:
        await _admit(bundle, bot.metadata.namespace, ctx)
    return bundle


async def _admit(bundle: Bundle, namespace: str, ctx: Context) -> None:
    allowed = bundle.spec.allowed_namespaces
    where = f"Bundle {bundle.metadata.namespace}/{bundle.metadata.name}"
    if allowed.from_ == "All":
        return
    if allowed.from_ == "Same" or allowed.selector is None:
        message = (
            f"{where} is for its own namespace only: write spec.allowedNamespaces {{from: All}}, or a selector that "
            f"matches namespace {namespace}, into it"
        )
        raise Blocked(Problem(Reason.BUNDLE_NOT_ALLOWED, message))
    try:
        found = await ctx.kube.get(Key("Namespace", "", namespace))
    except ApiError as error:
        message = f"the operator may not read the labels of namespace {namespace}: {error.message}"
        raise Blocked(Problem(Reason.ACCESS_DENIED, message, retry=True)) from error
    labels = ((found or {}).get("metadata") or {}).get("labels") or {}
    if not matches(allowed.selector, labels):
        message = f"spec.allowedNamespaces.selector of {where} does not match the labels of namespace {namespace}"
        # Namespaces are not watched: a label that is added is found by trying again.
        raise Blocked(Problem(Reason.BUNDLE_NOT_ALLOWED, message, retry=True))


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil all conditions of a selector."""
    if any(labels.get(name) != value for name, value in selector.match_labels.items()):
        return False
    for each in selector.match_expressions:
        present = each.key in labels
        holds = {
            "In": present and labels[each.key] in each.values if present else False,
            "NotIn": not present or labels[each.key] not in each.values,
            "Exists": present,
            "DoesNotExist": not present,
        }[each.operator]
        if not holds:
            return False
    return True


def wanted_revision(bot: Bot, bundle: Bundle, live: JsonObject | None) -> Revision:
    """Return the revision that the spec asks for: the pinned one, or else the newest good one.

    Args:
        bot: The Bot.
        bundle: Its Bundle.
        live: Its Deployment as it is, or None.

    Raises:
        Blocked: There is none.
    """
    where = f"Bundle {bundle.metadata.namespace}/{bundle.metadata.name}"
    pin = bot.spec.bundle_ref.revision
    if pin is None:
        newest = current(bundle)
        if newest is None or not newest.digest or not newest.url:
            raise Blocked(Problem(Reason.BUNDLE_NOT_READY, f"{where} has no revision to run yet{_why(bundle)}"))
        return newest
    kept = stored(bundle)
    for each in kept:
        if each.revision == pin and each.digest and each.url:
            return each
    for runs in (running_revision(live), draining_revision(live)):
        if runs is not None and runs.revision == pin:
            return runs  # The Bundle keeps no more of it than the archive, which pods still fetch.
    shown = ", ".join(each.revision for each in kept) or "none"
    message = (
        f"{where} does not keep revision {pin}: write one of those in its status.history into spec.bundleRef.revision "
        f"({shown}), or leave it out; spec.retain of the Bundle keeps more"
    )
    raise Blocked(Problem(Reason.REVISION_NOT_FOUND, message, stalled=True))


def current(bundle: Bundle) -> Revision | None:
    """Return the newest good revision of a Bundle with its dependencies."""
    artifact = bundle.status.artifact
    if artifact is None:
        return None
    return Revision(**artifact.model_dump(include=set(Artifact.model_fields)), layer=bundle.status.layer)


def stored(bundle: Bundle) -> list[Revision]:
    """Return the revisions that a Bundle keeps, the newest first."""
    newest = current(bundle)
    if newest is None:
        return list(bundle.status.history)
    return [newest, *(each for each in bundle.status.history if each.digest != newest.digest)]


def running_revision(live: JsonObject | None) -> Revision | None:
    """Return the revision in a Deployment's pod template, or None where it has none."""
    template = ((live or {}).get("spec") or {}).get("template") or {}
    revision = ((template.get("metadata") or {}).get("annotations") or {}).get(names.ANNOTATION_REVISION)
    return _fetched(template, "fetch", revision)


def draining_revision(live: JsonObject | None) -> Revision | None:
    """Return the older revision on which a Deployment's conversations end, or None where there is none."""
    template = ((live or {}).get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        for entry in container.get("env") or ():
            if entry.get("name") == names.ENV_DRAINING_REVISION:
                return _fetched(template, f"{DRAINING}fetch", entry.get("value"))
    return None


def _fetched(template: JsonObject, name: str, revision: object) -> Revision | None:
    """Return what an init container fetches."""
    for container in (template.get("spec") or {}).get("initContainers") or ():
        found = {entry.get("name"): entry.get("value") for entry in container.get("env") or ()}
        digest, url = found.get(names.ENV_ARTIFACT_DIGEST), found.get(names.ENV_ARTIFACT_URL)
        layer, layer_url = found.get(names.ENV_LAYER_DIGEST), found.get(names.ENV_LAYER_URL)
        if container.get("name") == name and revision and digest and url:
            return Revision(
                revision=str(revision),
                digest=str(digest),
                url=str(url),
                layer=Artifact(digest=str(layer), url=str(layer_url)) if layer and layer_url else None,
            )
    return None


def _why(bundle: Bundle) -> str:
    ready = next((condition for condition in bundle.status.conditions if condition.type == "Ready"), None)
    return f": {ready.message}" if ready is not None and ready.message else ""
