"""A revision that stored conversations cannot go on with, and what becomes of them."""

import asyncio
import json
from typing import Any

import pytest

from botyard.compatibility import Census, CensusFailed, Group, Judge
from botyard.contract.machine import MachineShape
from botyard.core.address import BotAddress
from botyard_operator.reconcile.bot import BotReconciler
from botyard_operator.sessions import FRESH_SECONDS, Sessions
from tests.unit.operator.reconcile.offline import BOT, Object, Space, artifact

ASK, PAY = ("zero", "ask", "end"), ("zero", "pay", "end")


class Stored:
    """Saved sessions by their state, counted by the real rules."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.counts = 0
        self.failure: CensusFailed | None = None

    async def __call__(self, bot: BotAddress, shape: MachineShape) -> Census:
        self.counts += 1
        if self.failure is not None:
            raise self.failure
        judge, groups = Judge(shape), {}
        for state in self.states:
            for misfit in judge.misfits({"main": {"state": state, "variables": {}}}):
                group = groups.setdefault(misfit.subject, Group(misfit.kind, misfit.subject, misfit.message))
                group.sessions += 1
        incompatible = sum(group.sessions for group in groups.values())
        return Census(len(self.states), incompatible, list(groups.values()))


class Gated(Space):
    """A Bot of a machine, which runs its first revision."""

    def __init__(
        self, stored: Stored, machines: dict[int, tuple[str, ...]], *, model: str = "fsm", **spec: Any
    ) -> None:
        self.model = model
        super().__init__(1, **spec)
        self.stored = stored
        self.sessions = Sessions(None, self.clock, count=stored)
        self.reconciler = BotReconciler(sessions=self.sessions)
        self.machines(machines)
        self.publish(1)
        self.reconcile()
        self.rolled_out()

    def _bundle(self) -> Object:
        bundle = super()._bundle()
        if self.model:
            bundle["status"]["manifest"] = {"model": self.model, "states": ["zero"]}
        return bundle

    def machines(self, machines: dict[int, tuple[str, ...]]) -> None:
        """Let these be the machines of the Bundle's revisions."""
        shapes = {artifact(number)["digest"]: {"states": states} for number, states in machines.items()}
        self.hold("ConfigMap", "clerk-manifest", data={"machines.json": json.dumps(shapes)})

    def counted(self) -> None:
        """Let the count that was asked for be done, and the Bot be reconciled for it."""
        assert asyncio.run(self.sessions.count_next()) == BOT
        self.reconcile()

    def compatible(self) -> tuple[str, str]:
        found = self.condition("StateCompatible") or {}
        return found["status"], found["reason"]


def test_the_first_revision_has_no_conversations_before_it() -> None:
    space = Gated(Stored(), {1: ASK})
    assert space.compatible() == ("True", "Succeeded")
    assert space.stored.counts == 0


def test_a_revision_with_the_same_machine_passes_uncounted() -> None:
    space = Gated(Stored("ask"), {1: ASK, 2: ASK})
    space.publish(2, 1)
    space.reconcile()
    assert space.runs == 2
    assert space.stored.counts == 0
    assert space.compatible() == ("True", "Succeeded")


def test_the_old_revision_runs_while_conversations_are_counted_and_the_new_one_when_all_can_go_on() -> None:
    space = Gated(Stored("zero", "end"), {1: ASK, 2: PAY})
    space.publish(2, 1)
    space.reconcile()
    assert space.runs == 1
    assert space.compatible() == ("Unknown", "CountingConversations")
    assert (space.condition("Reconciling") or {})["reason"] == "CountingConversations"
    space.counted()
    assert space.runs == 2
    space.rolled_out()
    assert space.compatible() == ("True", "Succeeded")
    assert "all 2 stored conversations" in (space.condition("StateCompatible") or {})["message"]


def _blocked(**spec: Any) -> Gated:
    space = Gated(Stored("ask", "ask", "zero"), {1: ASK, 2: PAY, 3: ASK}, **spec)
    space.publish(2, 1)
    space.reconcile()
    space.counted()
    return space


def test_block_keeps_the_old_revision_and_says_which_states_are_missing_and_what_to_do() -> None:
    space = _blocked()
    assert space.runs == 1
    assert space.compatible() == ("False", "StateIncompatible")
    message = (space.condition("StateCompatible") or {})["message"]
    for told in ("2 of 3 stored conversations", "StateGone ask (2)", artifact(2)["revision"], "Reset"):
        assert told in message
    assert (space.condition("Stalled") or {})["reason"] == "StateIncompatible"
    assert (space.condition("RolledOut") or {})["status"] == "False"
    assert (space.condition("Ready") or {})["status"] == "True", "the old revision serves"
    assert (space.condition("BundleReady") or {})["status"] == "True"


def test_a_blocked_bot_still_takes_over_changes_of_its_spec() -> None:
    space = _blocked()
    space.edit(config={"mode": "new"})
    space.reconcile()
    assert space.runs == 1
    assert '"new"' in space.get("ConfigMap", "clerk-bot")["data"]["bot.json"]


def test_conversations_are_counted_again_after_a_while_and_the_revision_passes_when_they_have_ended() -> None:
    space = _blocked()
    space.stored.states = ["zero"]
    space.reconcile()
    assert space.stored.counts == 1
    space.clock.seconds += FRESH_SECONDS
    space.reconcile()
    assert space.compatible() == ("False", "StateIncompatible"), "the old count holds until the new one is there"
    space.counted()
    assert space.runs == 2
    assert space.condition("Stalled") is None


def test_asking_for_it_counts_at_once() -> None:
    space = _blocked()
    space.stored.states = []
    space.annotate(requestedAt="now")
    space.reconcile()
    space.counted()
    assert space.runs == 2


def test_a_revision_that_brings_the_states_back_passes() -> None:
    space = _blocked()
    space.publish(3, 2, 1)
    space.reconcile()
    assert space.runs == 3
    assert space.compatible() == ("True", "Succeeded")


@pytest.mark.parametrize("from_the_start", [True, False])
def test_reset_lets_the_revision_through_and_tells_its_pods(from_the_start: bool) -> None:
    reset = {"rollout": {"onIncompatibleState": "Reset"}}
    space = _blocked(**(reset if from_the_start else {}))
    if not from_the_start:
        assert space.runs == 1
        space.stored.states.append("ask")
        space.edit(**reset)
        space.reconcile()
        space.counted()
    assert space.runs == 2
    assert '"onIncompatibleState":"Reset"' in space.get("ConfigMap", "clerk-bot")["data"]["bot.json"]
    space.rolled_out()
    assert space.compatible() == ("True", "ConversationsReset")
    assert (
        f"StateGone ask ({2 if from_the_start else 3}): they begin anew"
        in (space.condition("StateCompatible") or {})["message"]
    )
    assert space.condition("Stalled") is None


class TestDrain:
    """Conversations end on the old revision, beside the new one."""

    DRAIN = {"rollout": {"onIncompatibleState": "Drain"}}

    @pytest.fixture
    def space(self) -> Gated:
        return _blocked(**self.DRAIN)

    def containers(self, space: Gated) -> list[str]:
        pod = space.get("Deployment", "clerk")["spec"]["template"]["spec"]
        return [each["name"] for each in (*pod["initContainers"], *pod["containers"])]

    def drains(self, space: Gated) -> str | None:
        pod = space.get("Deployment", "clerk")["spec"]["template"]["spec"]
        found = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
        return found.get("BOTYARD_DRAINING_REVISION")

    def test_the_new_revision_runs_with_workers_of_the_old_one_in_each_pod(self, space: Gated) -> None:
        assert space.runs == 2
        assert self.containers(space) == ["fetch", "draining-fetch", "supervisor", "worker", "draining-worker"]
        assert self.drains(space) == artifact(1)["revision"]
        tokens = space.get("Secret", "clerk-platform")["data"]
        assert all(any(artifact(n)["digest"][7:19] in entry for entry in tokens) for n in (1, 2))
        space.rolled_out()
        assert space.compatible() == ("False", "ConversationsDraining")
        assert f"they end on {artifact(1)['revision']}" in (space.condition("StateCompatible") or {})["message"]
        assert space.condition("Stalled") is None
        for type_ in ("Ready", "RolledOut"):
            assert (space.condition(type_) or {})["status"] == "True"

    def test_it_ends_with_the_last_conversation_that_needs_it(self, space: Gated) -> None:
        space.rolled_out()
        space.counted()
        space.stored.states = ["ask", "pay"]
        space.clock.seconds += FRESH_SECONDS
        space.reconcile()
        space.counted()
        assert "1 of 2 stored conversations" in (space.condition("StateCompatible") or {})["message"]
        space.stored.states = ["pay"]
        space.clock.seconds += FRESH_SECONDS
        space.reconcile()
        assert self.drains(space) == artifact(1)["revision"]
        space.counted()
        assert self.containers(space) == ["fetch", "supervisor", "worker"]
        space.rolled_out()
        assert space.compatible() == ("True", "Succeeded")
        assert "has ended" in (space.condition("StateCompatible") or {})["message"]

    def test_a_count_that_fails_ends_nothing(self, space: Gated) -> None:
        space.rolled_out()
        space.stored.failure = CensusFailed("Redis does not answer", passing=True)
        space.counted()
        assert self.drains(space) == artifact(1)["revision"]
        assert space.compatible() == ("False", "ConversationsDraining")

    def test_a_revision_with_the_same_machine_takes_over_and_the_old_one_stays_beside_it(self, space: Gated) -> None:
        space.rolled_out()
        space.machines({1: ASK, 2: PAY, 4: PAY})
        space.publish(4, 2, 1)
        space.reconcile()
        assert space.runs == 4
        assert self.drains(space) == artifact(1)["revision"]

    def test_a_third_machine_waits_until_the_first_has_ended(self, space: Gated) -> None:
        space.rolled_out()
        space.machines({1: ASK, 2: PAY, 4: ("zero", "wait")})
        space.stored.states = ["ask", "pay"]
        space.publish(4, 2, 1)
        space.reconcile()
        space.counted()
        assert space.runs == 2
        assert self.drains(space) == artifact(1)["revision"]
        assert space.compatible() == ("False", "StateIncompatible")
        assert f"some still end on {artifact(1)['revision']}" in (space.condition("StateCompatible") or {})["message"]
        assert space.condition("Stalled") is None, "it goes on by itself"

    def test_a_revision_that_crashes_is_taken_back_and_nothing_drains(self, space: Gated) -> None:
        space.fails()
        assert space.runs == 1
        assert self.containers(space) == ["fetch", "supervisor", "worker"]
        space.rolled_out()
        assert (space.condition("Stalled") or {})["reason"] == "CrashLoop"
        space.reconcile()
        assert space.runs == 1

    def test_reset_ends_it(self, space: Gated) -> None:
        space.rolled_out()
        space.edit(rollout={"onIncompatibleState": "Reset"})
        space.reconcile()
        assert self.containers(space) == ["fetch", "supervisor", "worker"]
        space.rolled_out()
        assert space.compatible()[0] == "True"


def test_a_pin_to_an_older_revision_stands_before_the_gate_too() -> None:
    space = Gated(Stored("pay"), {1: ASK, 2: PAY})
    space.stored.states = []
    space.publish(2, 1)
    space.reconcile()
    space.counted()
    space.rolled_out()
    space.stored.states = ["pay"]
    space.edit(bundleRef={"name": "clerk", "revision": artifact(1)["revision"]})
    space.reconcile()
    space.counted()
    assert space.runs == 2
    assert "StateGone pay (1)" in (space.condition("StateCompatible") or {})["message"]


@pytest.mark.parametrize(("passing", "settles"), [(True, "Reconciling"), (False, "Stalled")])
def test_without_a_count_the_old_revision_runs_on(passing: bool, settles: str) -> None:
    space = Gated(Stored("ask"), {1: ASK, 2: PAY})
    space.stored.failure = CensusFailed("Redis does not answer: away", passing=passing)
    space.publish(2, 1)
    space.reconcile()
    space.counted()
    assert space.runs == 1
    assert space.compatible() == ("Unknown", "ConversationsNotCounted")
    assert "Redis does not answer" in (space.condition(settles) or {})["message"]
    space.stored.failure = None
    space.stored.states = []
    space.clock.seconds += FRESH_SECONDS
    space.reconcile()
    space.counted()
    assert space.runs == 2


def test_what_runs_may_fail_while_the_next_one_is_held() -> None:
    space = Gated(Stored("ask"), {1: ASK, 2: ASK, 3: PAY})
    space.publish(2, 1)
    space.reconcile()
    space.publish(3, 2, 1)
    space.reconcile()
    space.counted()
    assert space.runs == 2
    space.fails()
    assert space.runs == 1, "the last good one"
    assert space.status["failedRevision"]["digest"] == artifact(2)["digest"]


def test_a_failed_revision_is_taken_back_past_the_gate() -> None:
    space = Gated(Stored(), {1: ASK, 2: PAY})
    space.publish(2, 1)
    space.reconcile()
    space.counted()
    assert space.runs == 2
    space.stored.states = ["pay"]
    space.fails()
    assert space.runs == 1


@pytest.mark.parametrize(
    ("model", "policy", "told"),
    [("fsm", "Block", True), ("", "Block", False), ("loop", "Block", False), ("", "Drain", True), ("", "Reset", True)],
)
def test_without_a_known_machine_it_passes_and_whom_it_concerns_is_told(model: str, policy: str, told: bool) -> None:
    space = Gated(Stored("ask"), {}, model=model, rollout={"onIncompatibleState": policy})
    space.publish(2, 1)
    space.reconcile()
    assert space.runs == 2
    if told:
        assert space.compatible() == ("Unknown", "ManifestMissing")
    else:
        assert (space.condition("StateCompatible") or {"status": "True"})["status"] == "True"


def test_other_models_have_no_gate() -> None:
    space = Gated(Stored("ask"), {1: ASK, 2: ()})
    space.publish(2, 1)
    space.reconcile()
    assert space.runs == 2
    assert space.stored.counts == 0
