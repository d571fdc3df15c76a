"""Which revisions of a Bot ran well, which did not, and how far one has got that is ramped. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from botyard_operator.api.bot import Bot, FailedRevision, GoodRevision, RampStatus
from botyard_operator.ramps import RampFigures
from botyard_operator.reconcile import ramp
from botyard_operator.reconcile.base import JsonObject
from botyard_operator.reconcile.bot_inputs import Resolved
from botyard_operator.reconcile.revision_choice import running_revision
from botyard_operator.reconcile.rollout import Rollout
from botyard_operator.reconcile.taking_back import failure, proven


@dataclass(frozen=True, slots=True)
class History:
    """Which revisions ran well, and which did not."""

    good: GoodRevision | None = None
    previous: str | None = None
    failed: FailedRevision | None = None
    ramp: RampStatus | None = None
    turns: bool = False
    """Another pass has something else to do for what this one tells: a revision failed, or a ramp is over."""


def history(
    bot: Bot | None,
    resolved: Resolved | None,
    rollout: Rollout | None,
    deployment: JsonObject | None,
    figures: RampFigures | None,
) -> History:
    """Return what the status is to tell of revisions.

    Args:
        bot: The Bot as its status was; None: its spec cannot be read.
        resolved: What its children are made from; None: nothing is, this time.
        rollout: The state of its pods; None: there are none.
        deployment: Its Deployment.
        figures: How the turns of a ramp ended, as far as it is known.
    """
    if bot is None:
        return History()
    before = bot.status
    if rollout is None:
        return History(before.good_revision, before.previous_revision or None)
    runs = running_revision(deployment)
    digest = runs.digest if runs is not None else ""
    told = before.ramp
    if resolved is not None:
        told = ramp.reported(told, resolved.ramping, figures, rollout, digest)
    good, previous = before.good_revision, before.previous_revision or None
    if told is None or told.share == 100 or told.digest != digest:
        good, previous = proven(bot, rollout, deployment)
    if told is not None and good is not None and good.digest == told.digest:
        told = None
    if resolved is None:
        return History(good, previous, before.failed_revision, told)
    found: FailedRevision | None = None
    if resolved.failed is None:
        found = failure(bot, resolved.inputs, rollout)
        found = found or ramp.failed(bot, resolved.inputs, resolved.ramping, figures, rollout)
    over = before.ramp is not None and told is None
    return History(good, previous, resolved.failed or found, told, turns=found is not None or over)
