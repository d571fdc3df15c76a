"""A new revision that takes over step by step (`spec.rollout.ramp`), beside the one that ran before. Pure.

Its pods have workers of both revisions. A first rollout brings them, with a share of nothing; from then on each step is
an edit of the Bot's ConfigMap, which running pods read. After the last one a second rollout takes the old workers away.
How far it has got is kept in `status.ramp`. Whatever ends it early sets the share back to nothing first, so that pods
that are yet to be replaced begin nothing more on the new revision.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botyard.contract import names
from botyard.contract.bot import Ramp
from botyard.core.ramp_counts import Tally
from botyard_operator.api.bot import Bot, FailedRevision, RampStatus, RampTally
from botyard_operator.api.bundle import Revision
from botyard_operator.api.reasons import Reason
from botyard_operator.builders.deployment import DRAINING
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.ramps import RampFigures
from botyard_operator.reconcile.problems import Problem
from botyard_operator.reconcile.rollout import Rollout

LEAST_TURNS = 10
"""Turns on the new revision before their failures are judged."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Pods:
    """What the Deployment of a Bot has in its pods."""

    runs: Revision | None = None
    beside: Revision | None = None
    """The older revision in workers of its own."""
    rollout: Rollout | None = None


@dataclass(frozen=True, slots=True)
class Ramping:
    """A ramp that is under way, or comes to its end in this pass."""

    status: RampStatus
    previous: Revision
    problem: Problem
    """What to tell of it."""
    again: float | None = None
    """Seconds until its next step."""

    @property
    def finished(self) -> bool:
        """Whether the old revision may go."""
        return self.status.share == 100


def decide(bot: Bot, inputs: BotInputs, pods: Pods, now: datetime) -> Ramping | None:
    """Return how far a revision is to get now; None where it takes over as a whole, or has done so.

    Args:
        bot: The Bot.
        inputs: With the revision that is to run.
        pods: What runs.
        now: Time of this reconcile.
    """
    previous = _previous(bot, inputs, pods)
    if previous is None:
        return None
    known = _known(bot, inputs, pods)
    share, since = (known.share, known.since) if known is not None else (0, "")
    brought = pods.runs is not None and pods.runs.digest == inputs.artifact.digest
    # Where the Bot sleeps, nothing begins on a revision: time alone proves nothing of it.
    steady = brought and pods.rollout is not None and pods.rollout.wanted > 0 and pods.rollout.complete
    if steady:
        reached = _reached(bot, inputs.artifact.revision, share, since, now)
        share, since = reached, since if reached == share else now.astimezone(UTC).strftime(_TIME)
    status = RampStatus(
        id=known.id if known is not None else _id(bot, inputs),
        revision=inputs.artifact.revision,
        digest=inputs.artifact.digest,
        previous=previous.revision,
        share=share,
        since=since,
        on_new=known.on_new if known is not None else None,
        on_previous=known.on_previous if known is not None else None,
    )
    # While pods are replaced, the end of that is what it waits for.
    again = max(0.5, (_end(bot, since) - now).total_seconds()) if steady and share < 100 else None
    return Ramping(status, previous, _told(bot, status), again)


def waits(bot: Bot, inputs: BotInputs, pods: Pods) -> Problem | None:
    """Return why a ramp cannot begin yet: there is room for one older revision in a pod."""
    runs, beside, good = pods.runs, pods.beside, bot.status.good_revision
    if not _asked(bot) or runs is None or beside is None or good is None:
        return None
    if runs.digest == inputs.artifact.digest or runs.digest != good.digest or _back(bot, inputs):
        return None
    message = (
        f"{inputs.artifact.revision} is ramped (spec.rollout.ramp) when the last conversation has ended on "
        f"{beside.revision}, which runs beside {runs.revision} until then"
    )
    return Problem(Reason.CONVERSATIONS_DRAINING, message)


def configured(bot: Bot, inputs: BotInputs, ramping: Ramping | None) -> Ramp | None:
    """Return what the pods are to know of a ramp."""
    if ramping is not None:
        found = ramping.status
        return None if ramping.finished else Ramp(id=found.id, revision=found.revision, share=found.share)
    before = bot.status.ramp
    if before is not None and before.share < 100 and before.digest != inputs.artifact.digest:
        return Ramp(id=before.id, revision=before.revision, share=0)
    return None


def failed(
    bot: Bot, inputs: BotInputs, ramping: Ramping | None, figures: RampFigures | None, rollout: Rollout
) -> FailedRevision | None:
    """Return why a ramp is to be given up, or None while its revision may be good.

    Args:
        bot: The Bot.
        inputs: What its Deployment was made from.
        ramping: How far the ramp has got; None: there is none.
        figures: How its turns ended, as far as it is known.
        rollout: The state of its pods.
    """
    if ramping is None or ramping.status.share == 0:
        return None
    cause = rollout.problem
    if cause is not None and cause.reason == Reason.CRASH_LOOP and f"container {DRAINING}" not in cause.message:
        return _failure(inputs, Reason.RAMP_FAILED, f"{cause.reason}: {cause.message}")
    if figures is None or figures.ramp != ramping.status.id:
        return None
    new, old, allowed = figures.new, figures.old, bot.spec.rollout.ramp_failures
    if new.dead:
        events = "event" if new.dead == 1 else "events"
        return _failure(inputs, Reason.RAMP_FAILED, f"{new.dead} {events} became dead letters on it")
    if new.turns >= LEAST_TURNS and _percent(new) > _percent(old) + allowed:
        message = (
            f"{new.failed} of {new.turns} turns failed, {old.failed} of {old.turns} on {ramping.status.previous} "
            f"(spec.rollout.rampFailures allows {allowed} % more)"
        )
        return _failure(inputs, Reason.RAMP_FAILED, message)
    return None


def reported(
    before: RampStatus | None, ramping: Ramping | None, figures: RampFigures | None, rollout: Rollout, digest: str
) -> RampStatus | None:
    """Return what the status tells of a ramp while nothing has proven its revision.

    Args:
        before: What it told.
        ramping: How far it has got; None: it is none any more.
        figures: How its turns ended, as far as it is known.
        rollout: The state of the pods.
        digest: Of the revision in them.
    """
    if ramping is not None:
        status = ramping.status
        if figures is not None and figures.ramp == status.id:
            told = {"on_new": _tally(figures.new), "on_previous": _tally(figures.old)}
            return status.model_copy(update=told)
        return status
    if before is None:
        return None
    if before.digest == digest:
        return before.model_copy(update={"share": 100})
    return None if rollout.complete else before.model_copy(update={"share": 0})


def _asked(bot: Bot) -> bool:
    steps = bot.spec.rollout.ramp
    return bool(steps) and steps[0] < 100


def _back(bot: Bot, inputs: BotInputs) -> bool:
    """Whether a revision has run well before: a way back must not wait."""
    good = bot.status.good_revision
    known = {bot.status.previous_revision, good.revision if good is not None else ""} - {""}
    return inputs.artifact.revision in known or (good is not None and good.digest == inputs.artifact.digest)


def _previous(bot: Bot, inputs: BotInputs, pods: Pods) -> Revision | None:
    """Return the revision beside which another is ramped; None where it is not."""
    runs, beside, good = pods.runs, pods.beside, bot.status.good_revision
    if not _asked(bot) or runs is None or good is None or _back(bot, inputs):
        return None
    if (known := _known(bot, inputs, pods)) is not None and known.share == 100:
        return None
    if runs.digest == good.digest:
        return runs if beside is None else None
    # What runs has not proven itself: it is ramped, or just being brought.
    return beside if beside is not None and beside.digest == good.digest else None


def _known(bot: Bot, inputs: BotInputs, pods: Pods) -> RampStatus | None:
    """Return what the status tells of this attempt: the figures of one that failed say nothing of the next."""
    found, failed = bot.status.ramp, bot.status.failed_revision
    if found is None or pods.runs is None or not pods.runs.digest == found.digest == inputs.artifact.digest:
        return None
    return found if failed is None or failed.digest != found.digest else None


def _id(bot: Bot, inputs: BotInputs) -> str:
    """Return the same id for the same attempt: a pass may not yet know what the one before has begun."""
    requested = bot.metadata.annotations.get(names.ANNOTATION_REQUESTED_AT, "")
    return hashlib.sha256(f"{inputs.attempt()} {requested}".encode()).hexdigest()[:12]


def _reached(bot: Bot, revision: str, share: int, since: str, now: datetime) -> int:
    """Return the share that is due."""
    steps = bot.spec.rollout.ramp
    due = share == 0 or now >= _end(bot, since)
    reached = next((step for step in steps if step > share), 100) if due else share
    promoted, _, least = bot.metadata.annotations.get(names.ANNOTATION_PROMOTE, "").rpartition("=")
    if promoted == revision and least.isdecimal():
        reached = max(reached, next((step for step in steps if step >= int(least)), 100))
    return reached


def _end(bot: Bot, since: str) -> datetime:
    """Return when the present step ends."""
    try:
        began = datetime.strptime(since, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return began + timedelta(seconds=bot.spec.rollout.ramp_pause.seconds)


def _told(bot: Bot, status: RampStatus) -> Problem:
    if status.share == 100:
        return Problem(Reason.RAMPING, f"all conversations begin on {status.revision}; {status.previous} goes")
    following = next((step for step in bot.spec.rollout.ramp if step > status.share), 100)
    message = (
        f"{status.share} % of new conversations begin on {status.revision}, {following} % from "
        f"{_end(bot, status.since).strftime(_TIME)} on; {status.previous} has the others"
    )
    return Problem(Reason.RAMPING, message)


def _failure(inputs: BotInputs, reason: Reason, message: str) -> FailedRevision:
    return FailedRevision(
        revision=inputs.artifact.revision,
        digest=inputs.artifact.digest,
        reason=str(reason),
        message=message,
        attempt=inputs.attempt(),
    )


def _percent(tally: Tally) -> float:
    return 100 * tally.failed / tally.turns if tally.turns else 0.0


def _tally(found: Tally) -> RampTally:
    return RampTally(conversations=found.conversations, turns=found.turns, failed=found.failed, dead_letters=found.dead)
