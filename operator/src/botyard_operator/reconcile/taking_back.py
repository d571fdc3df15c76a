"""Going back from a revision whose pods cannot start, to the last one whose did.

The old pods serve on while a rollout fails; but as long as the Deployment asks for the failing revision, every pod that
is scaled up, evicted or lost starts with it. So once the rollout has made no progress for
`spec.rollout.progressDeadline` because processes crash, the Deployment gets the last good revision back. The failure is
kept in `status.failedRevision`, together with the digest of everything that was tried: whatever changes that (a new
revision, a corrected Secret, another model) tries again, and so does the annotation botyard.dev/requestedAt.
"""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.api.bot import Bot, FailedRevision, GoodRevision
from botyard_operator.api.bundle import Artifact, Bundle, Revision
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.reconcile.bundle_status import artifact_url
from botyard_operator.reconcile.revision_choice import running_revision, stored
from botyard_operator.reconcile.rollout import Rollout

_BY_THE_CODE = frozenset({Reason.CRASH_LOOP})
"""Causes that another revision can cure; a missing image or a full node is not one."""


def given_up(bot: Bot, inputs: BotInputs) -> FailedRevision | None:
    """Return the failure that keeps the wanted revision from being tried (again), or None.

    Args:
        bot: The Bot.
        inputs: What the spec asks for.
    """
    failed, good = bot.status.failed_revision, bot.status.good_revision
    if failed is None or good is None or good.digest == inputs.artifact.digest:
        return None
    if failed.attempt != inputs.attempt() or _requested(bot):
        return None
    return failed


def good_revision(bot: Bot, bundle: Bundle, base_url: str) -> Revision:
    """Return the last good revision.

    Args:
        bot: A Bot that has one.
        bundle: Its Bundle, which may still keep it.
        base_url: Address of the artifact server.
    """
    good = bot.status.good_revision
    assert good is not None
    for each in stored(bundle):
        if each.digest == good.digest:
            return each.model_copy(update={"revision": good.revision})
    layer = Artifact(digest=good.layer, url=artifact_url(base_url, good.layer)) if good.layer else None
    url = artifact_url(base_url, good.digest)
    return Revision(revision=good.revision, digest=good.digest, url=url, layer=layer)


def failure(bot: Bot, inputs: BotInputs, rollout: Rollout) -> FailedRevision | None:
    """Return the failure of a rollout that is to be taken back, or None while it may succeed.

    Args:
        bot: The Bot.
        inputs: What its Deployment was made from.
        rollout: The state of its pods.
    """
    good, cause = bot.status.good_revision, rollout.problem
    if good is None or good.digest == inputs.artifact.digest or rollout.wanted == 0 or not rollout.overdue:
        return None
    if cause is None or cause.reason not in _BY_THE_CODE:
        return None
    return FailedRevision(
        revision=inputs.artifact.revision,
        digest=inputs.artifact.digest,
        reason=str(cause.reason),
        message=cause.message,
        attempt=inputs.attempt(),
    )


def proven(bot: Bot, rollout: Rollout, live: object) -> tuple[GoodRevision | None, str | None]:
    """Return the last revision of which all pods became available, and the one before it.

    Args:
        bot: The Bot as its status was.
        rollout: The state of its pods.
        live: Its Deployment.
    """
    before = bot.status.good_revision
    runs = running_revision(live) if isinstance(live, dict) else None
    previous = bot.status.previous_revision or None
    if runs is None or not rollout.complete or rollout.wanted == 0:
        return before, previous
    layer = runs.layer.digest if runs.layer is not None else ""
    good = GoodRevision(revision=runs.revision, digest=runs.digest, layer=layer)
    if before is not None and before.digest != good.digest:
        previous = before.revision
    return good, previous


def _requested(bot: Bot) -> bool:
    requested = bot.metadata.annotations.get(names.ANNOTATION_REQUESTED_AT, "")
    return requested != bot.status.last_handled_requested_at
