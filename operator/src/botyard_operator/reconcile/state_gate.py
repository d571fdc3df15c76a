"""Holds a new revision back while stored conversations could not go on with it.

The gate stands before a change of the code that runs: the machine of the wanted revision is compared with that of the
running one, and only where they differ are the stored conversations counted. What follows is for
`spec.rollout.onIncompatibleState`: Block keeps the running revision; Reset lets the new one through, whose pods begin
the conversations anew that they cannot restore; Drain lets it through, too, with workers of the old one beside it in
each pod, until no conversation is left that needs them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from botyard.compatibility import Census
from botyard.contract import names
from botyard.contract.machine import MachineShape
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle, Revision
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState, ConditionStatus
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.machines import NO_MACHINE, shapes
from botyard_operator.reconcile.problems import Problem
from botyard_operator.sessions import FRESH_SECONDS, Question, Sessions

_SHOWN_CAUSES = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the wanted revision may run now."""

    condition: ConditionState | None = None
    """StateCompatible; None: as it was."""
    holds: bool = False
    """The running revision stays."""
    problem: Problem | None = None
    drain: Revision | None = None
    """The older revision on which conversations end, beside the one that runs."""
    again: float | None = None
    """Seconds after which the conversations are counted again."""


_PASSES = Verdict()


class StateGate:
    """Judges changes of revision."""

    def __init__(self, sessions: Sessions) -> None:
        """Prepare.

        Args:
            sessions: The stored conversations.
        """
        self._sessions = sessions
        self._passed: dict[Key, tuple[str, Verdict]] = {}
        """How the newest revision passed, by its digest: the status may tell it some passes later."""

    def forget(self, bot: Key) -> None:
        """Drop what is known of a Bot that is gone."""
        self._sessions.forget(bot)
        self._passed.pop(bot, None)

    async def judge(
        self,
        bot: Bot,
        bundle: Bundle,
        wanted: Revision,
        runs: Revision | None,
        drains: Revision | None,
        ctx: Context,
    ) -> Verdict:
        """Return whether a Bot may change from one revision to another.

        Args:
            bot: The Bot.
            bundle: Its Bundle.
            wanted: The revision that the spec asks for.
            runs: The one in its Deployment; None: there is none.
            drains: The older one on which conversations end there; None: there is none.
            ctx: Where the machines are read.
        """
        key = Key("Bot", bot.metadata.namespace, bot.metadata.name)
        if runs is None or runs.digest == wanted.digest:
            if drains is not None and bot.spec.rollout.on_incompatible_state != "Reset":
                return await self._drained(key, bot, bundle, wanted, drains, ctx)
            self._sessions.forget(key)
            digest, passed = self._passed.get(key, ("", _PASSES))
            told = passed.condition is not None and passed.condition.reason == Reason.CONVERSATIONS_DRAINING
            return passed if digest == wanted.digest and not told else _standing(bot, bundle, wanted)
        verdict = await self._change(key, bot, bundle, wanted, runs, drains, ctx)
        if not verdict.holds:
            self._sessions.forget(key)
            self._passed[key] = (wanted.digest, replace(verdict, drain=None, again=None))
        return verdict

    async def _drained(
        self, key: Key, bot: Bot, bundle: Bundle, wanted: Revision, drains: Revision, ctx: Context
    ) -> Verdict:
        """Return whether conversations still need the older revision."""
        new = (await shapes(bundle, ctx)).get(wanted.digest)
        if new is None or new == NO_MACHINE or not self._sessions.known:
            return _standing(bot, bundle, wanted)
        answer = self._sessions.ask(key, _question(bot, wanted, new))
        if answer is None or answer.census is None:
            digest, passed = self._passed.get(key, ("", _PASSES))
            told = passed.condition if digest == wanted.digest else _before(bot)
            return Verdict(told, drain=drains, again=FRESH_SECONDS)
        if answer.census.incompatible:
            return _draining(wanted, drains, answer.census)
        self._sessions.forget(key)
        message = f"the last conversation that needed {drains.revision} has ended; {wanted.revision} runs alone"
        passed = Verdict(_condition("True", Reason.SUCCEEDED, message))
        self._passed[key] = (wanted.digest, passed)
        return passed

    async def _change(
        self,
        key: Key,
        bot: Bot,
        bundle: Bundle,
        wanted: Revision,
        runs: Revision,
        drains: Revision | None,
        ctx: Context,
    ) -> Verdict:
        if not self._sessions.known:
            return _PASSES
        known = await shapes(bundle, ctx)
        new = known.get(wanted.digest)
        if new is None:
            return _unknown(bot, bundle, wanted)
        if new == NO_MACHINE:
            return _PASSES
        if new == known.get(runs.digest):
            same = "states and variables are those of the revision before"
            return Verdict(_condition("True", Reason.SUCCEEDED, same), drain=drains)
        answer = self._sessions.ask(key, _question(bot, wanted, new))
        if answer is None:
            why = f"the stored conversations are held against {wanted.revision}; {runs.revision} runs until then"
            return _held(Reason.COUNTING_CONVERSATIONS, why, drains)
        if answer.failure is not None:
            why = f"{answer.failure}; {runs.revision} runs on"
            stalled = not answer.failure.passing
            return _held(Reason.CONVERSATIONS_NOT_COUNTED, why, drains, again=FRESH_SECONDS, stalled=stalled)
        return _counted(bot, wanted, runs, drains, answer.census or Census())


def standing(obj: JsonObject) -> ConditionState | None:
    """Return StateCompatible as an object has it, for a reconcile that came to no verdict."""
    for each in (obj.get("status") or {}).get("conditions") or ():
        if each.get("type") == ConditionType.STATE_COMPATIBLE:
            return ConditionState(each["type"], each["status"], each["reason"], each.get("message", ""))
    return None


def _before(bot: Bot) -> ConditionState | None:
    for each in bot.status.conditions:
        if each.type == ConditionType.STATE_COMPATIBLE:
            return ConditionState(each.type, each.status, each.reason, each.message)
    return None


def _standing(bot: Bot, bundle: Bundle, wanted: Revision) -> Verdict:
    """Return what holds of a revision that runs already, or of the first one."""
    before = _before(bot)
    if before is not None and before.status == "True":
        return Verdict(before)
    manifest = bundle.status.manifest
    if manifest is None or manifest.model != "fsm":
        return _PASSES
    message = f"the conversations are those of {wanted.revision}"
    return Verdict(_condition("True", Reason.SUCCEEDED, message))


def _unknown(bot: Bot, bundle: Bundle, wanted: Revision) -> Verdict:
    """Return what holds where nothing is known of the wanted revision's machine: it passes, and who asked is told."""
    manifest = bundle.status.manifest
    if (manifest is None or manifest.model != "fsm") and bot.spec.rollout.on_incompatible_state == "Block":
        return _PASSES  # Nobody said that it is a machine, or asked for more than the default.
    message = (
        f"the machine of {wanted.revision} is not known, so its conversations were not looked at: the installation "
        "builds no bundles, or it is older than the Bundle's manifest"
    )
    return Verdict(_condition("Unknown", Reason.MANIFEST_MISSING, message))


def _held(
    reason: Reason, message: str, drains: Revision | None, *, again: float | None = None, stalled: bool = False
) -> Verdict:
    problem = Problem(reason, message, stalled=stalled)
    status: ConditionStatus = "False" if reason == Reason.STATE_INCOMPATIBLE else "Unknown"
    return Verdict(_condition(status, reason, message), holds=True, problem=problem, drain=drains, again=again)


def _question(bot: Bot, wanted: Revision, shape: MachineShape) -> Question:
    requested = bot.metadata.annotations.get(names.ANNOTATION_REQUESTED_AT, "")
    return Question(wanted.digest, shape, f"{bot.spec.rollout.on_incompatible_state} {requested}")


def _draining(wanted: Revision, drains: Revision, census: Census) -> Verdict:
    message = f"{_cannot(census, wanted)}: they end on {drains.revision}, which runs beside it until then"
    condition = _condition("False", Reason.CONVERSATIONS_DRAINING, message)
    return Verdict(condition, drain=drains, again=FRESH_SECONDS)


def _counted(bot: Bot, wanted: Revision, runs: Revision, drains: Revision | None, census: Census) -> Verdict:
    policy = bot.spec.rollout.on_incompatible_state
    if not census.incompatible:
        message = f"all {census.sessions} stored conversations can go on with {wanted.revision}"
        return Verdict(_condition("True", Reason.SUCCEEDED, message))
    if policy == "Reset":
        message = f"{_cannot(census, wanted)}: they begin anew at their next message"
        return Verdict(_condition("True", Reason.CONVERSATIONS_RESET, message))
    if policy == "Drain" and drains is None:
        return _draining(wanted, runs, census)
    if policy == "Drain" and drains is not None:
        message = (
            f"{_cannot(census, wanted)}, and some still end on {drains.revision}; {runs.revision} runs on until those "
            f"have ended (they are counted every {FRESH_SECONDS:g} s)"
        )
        return _held(Reason.STATE_INCOMPATIBLE, message, drains, again=FRESH_SECONDS)
    message = (
        f"{_cannot(census, wanted)}; {runs.revision} runs on. Bring back what the conversations need, let them end "
        f"(they are counted again every {FRESH_SECONDS:g} s), or write spec.rollout.onIncompatibleState: Drain or Reset"
    )
    return _held(Reason.STATE_INCOMPATIBLE, message, drains, again=FRESH_SECONDS, stalled=True)


def _cannot(census: Census, wanted: Revision) -> str:
    causes = [f"{group.kind} {group.subject} ({group.sessions})" for group in census.groups[:_SHOWN_CAUSES]]
    more = len(census.groups) - len(causes)
    told = ", ".join(causes) + (f" and {more} more causes" if more > 0 else "")
    return (
        f"{census.incompatible} of {census.sessions} stored conversations cannot go on with {wanted.revision}: {told}"
    )


def _condition(status: ConditionStatus, reason: Reason, message: str) -> ConditionState:
    return ConditionState(ConditionType.STATE_COMPATIBLE, status, reason, message)
