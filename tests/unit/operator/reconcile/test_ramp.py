"""A new revision that takes over step by step, and what ends that early."""

import asyncio
import json
from typing import Any

import pytest

from botyard.core.ramp_counts import Tally
from botyard_operator.ramps import RampFigures, Ramps
from botyard_operator.reconcile.bot import BotReconciler
from tests.unit.operator.reconcile.offline import BOT, Object, Space, artifact

PAUSE = 600.0
RAMP: Object = {"rollout": {"ramp": [10, 50, 100], "rampPause": "10m"}}


class Ramped(Space):
    """A Bot whose first revision has run well, and a second one that is ramped."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(1, **{**RAMP, **spec})
        self.figures = Ramps(None, self.clock)
        self.reconciler = BotReconciler(ramps=self.figures)
        self.reconcile()
        self.rolled_out()
        self.publish(2, 1)
        self.reconcile()

    def counted(self, new: Tally, old: Tally | None = None, *, ramp: str = "") -> None:
        """Let the replicas have counted turns, and the Bot be reconciled for them."""
        figures = RampFigures(ramp or self.status["ramp"]["id"], new, old or Tally(turns=100))
        self.figures.tell(BOT, figures, ("shop", "clerk"), lambda key, delay=0.0: None, urgent=True)
        self.reconcile()

    def later(self, seconds: float = PAUSE) -> None:
        self.clock.seconds += seconds
        self.reconcile()

    @property
    def containers(self) -> list[str]:
        pod = self.get("Deployment", "clerk")["spec"]["template"]["spec"]
        return [each["name"] for each in pod["containers"]]

    @property
    def beside(self) -> str | None:
        pod = self.get("Deployment", "clerk")["spec"]["template"]["spec"]
        found = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
        return found.get("BOTYARD_DRAINING_REVISION")

    @property
    def told(self) -> Object | None:
        """What the pods know of the ramp."""
        found: Object | None = json.loads(self.get("ConfigMap", "clerk-bot")["data"]["bot.json"]).get("ramp")
        return found

    @property
    def share(self) -> int:
        assert self.told is not None
        return int(self.told.get("share", 0))

    @property
    def templates(self) -> int:
        """How many pod templates were applied."""
        found = [obj for obj in self.cluster.applied if obj["kind"] == "Deployment"]
        return len({json.dumps(obj["spec"]["template"], sort_keys=True) for obj in found})


@pytest.fixture
def space() -> Ramped:
    return Ramped()


def test_the_pods_get_both_revisions_before_a_conversation_moves(space: Ramped) -> None:
    assert space.runs == 2
    assert space.containers == ["supervisor", "worker", "draining-worker"]
    assert space.beside == artifact(1)["revision"]
    assert space.share == 0
    assert (space.condition("Reconciling") or {})["reason"] != "Ramping", "it has not begun"


def test_it_takes_one_step_after_the_other_and_the_old_revision_goes(space: Ramped) -> None:
    space.rolled_out()
    ramp = space.status["ramp"]
    assert (space.share, ramp["share"], ramp["revision"]) == (10, 10, artifact(2)["revision"])
    assert ramp["previous"] == artifact(1)["revision"]
    assert space.told is not None
    assert (space.told["revision"], space.told["id"]) == (ramp["revision"], ramp["id"])
    told = space.condition("Reconciling") or {}
    assert told["reason"] == "Ramping"
    assert "10 % of new conversations" in told["message"]
    assert "50 % from" in told["message"]
    assert (space.condition("Ready") or {})["status"] == "True"
    assert (space.condition("RolledOut") or {})["status"] == "False"
    assert space.status["goodRevision"]["digest"] == artifact(1)["digest"], "the new one has proven nothing yet"
    space.later(PAUSE - 20)
    assert space.share == 10
    space.later(20)
    assert space.share == 50
    assert space.templates == 2, "a step replaces no pod"
    space.later()
    assert space.containers == ["supervisor", "worker"]
    assert space.told is None
    space.rolled_out()
    assert space.runs == 2
    assert space.status["goodRevision"]["digest"] == artifact(2)["digest"]
    assert space.status["previousRevision"] == artifact(1)["revision"]
    assert "ramp" not in space.status
    assert space.condition("Reconciling") is None
    assert (space.condition("RolledOut") or {})["status"] == "True"
    assert space.templates == 3


def test_a_pass_that_does_not_know_yet_what_the_one_before_began_begins_the_same(space: Ramped) -> None:
    space.rolled_out()
    before = space.status["ramp"]["id"]

    def forget(obj: Object) -> None:
        del obj["status"]["ramp"]

    space._put("Bot", forget)
    space.reconcile()
    assert space.status["ramp"]["id"] == before
    assert space.templates == 2


def test_what_the_replicas_counted_is_told(space: Ramped) -> None:
    space.rolled_out()
    space.counted(Tally(turns=9, failed=1, conversations=4), Tally(turns=80, conversations=30))
    assert space.status["ramp"]["onNew"] == {"conversations": 4, "turns": 9, "failed": 1}
    assert space.status["ramp"]["onPrevious"] == {"conversations": 30, "turns": 80}
    space.later()
    assert space.status["ramp"]["onNew"]["turns"] == 9, "it stays over a step"


FAILING = Tally(turns=20, failed=4)


@pytest.mark.parametrize(
    ("new", "old", "told"),
    [
        (FAILING, Tally(turns=180), "4 of 20 turns failed, 0 of 180"),
        (Tally(turns=3, failed=1, dead=1), Tally(turns=30), "1 event became dead letters"),
    ],
    ids=["turns", "dead letters"],
)
def test_a_revision_whose_turns_fail_is_taken_back_and_the_reason_kept(
    space: Ramped, new: Tally, old: Tally, told: str
) -> None:
    space.rolled_out()
    space.counted(new, old)
    assert space.runs == 1
    assert space.containers == ["supervisor", "worker"]
    assert space.share == 0, "what is yet to be replaced begins nothing more on it"
    failed = space.status["failedRevision"]
    assert (failed["reason"], failed["digest"]) == ("RampFailed", artifact(2)["digest"])
    assert told in failed["message"]
    stalled = space.condition("Stalled") or {}
    assert stalled["reason"] == "RampFailed"
    assert "failed while it was ramped" in stalled["message"]
    space.rolled_out()
    assert (space.condition("Ready") or {})["status"] == "True"
    assert (space.condition("RolledOut") or {})["reason"] == "RampFailed"
    assert "ramp" not in space.status
    assert space.told is None
    space.later()
    assert space.runs == 1, "it is not tried again by itself"


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (Tally(turns=9, failed=9), Tally(turns=100)),
        (FAILING, Tally(turns=100, failed=15)),
        (Tally(turns=100, failed=10), Tally(turns=100)),
    ],
    ids=["too few to judge", "both fail as much", "as many as allowed"],
)
def test_failures_that_say_nothing_about_the_revision_end_no_ramp(space: Ramped, new: Tally, old: Tally) -> None:
    space.rolled_out()
    space.counted(new, old)
    assert space.runs == 2
    assert space.condition("Stalled") is None


def test_figures_of_a_former_ramp_say_nothing_of_this_one(space: Ramped) -> None:
    space.rolled_out()
    space.counted(FAILING, ramp="another")
    assert space.runs == 2
    assert "onNew" not in space.status["ramp"]


def test_how_much_may_fail_is_the_specs() -> None:
    space = Ramped(rollout={**RAMP["rollout"], "rampFailures": 50})
    space.rolled_out()
    space.counted(FAILING)
    assert space.runs == 2


def test_asking_for_it_ramps_the_revision_anew_with_others_first(space: Ramped) -> None:
    space.rolled_out()
    before = space.status["ramp"]["id"]
    space.counted(FAILING)
    space.rolled_out()
    space.annotate(requestedAt="now")
    space.reconcile()
    assert space.runs == 2
    assert space.share == 0
    space.rolled_out()
    assert space.share == 10
    assert space.status["ramp"]["id"] != before
    assert "failedRevision" not in space.status


@pytest.mark.parametrize("back", [True, False], ids=["taken back", "about to be"])
def test_figures_of_a_failed_attempt_do_not_condemn_the_next(space: Ramped, back: bool) -> None:
    space.rolled_out()
    failed = space.status["ramp"]["id"]
    figures = RampFigures(failed, FAILING, Tally(turns=100))
    if back:
        space.counted(FAILING)
    else:
        space.figures.tell(BOT, figures, ("shop", "clerk"), lambda key, delay=0.0: None, urgent=True)
        asyncio.run(space.reconciler.reconcile(BOT, space.context))
    assert space.status["failedRevision"]["digest"] == artifact(2)["digest"]
    assert "ramp" in space.status, "the pods before are not there yet"
    space.annotate(requestedAt="now")
    space.reconcile()
    space.rolled_out()
    assert space.share == 10
    assert space.status["ramp"]["id"] != failed
    assert "onNew" not in space.status["ramp"]
    assert "failedRevision" not in space.status


def test_a_spec_that_cannot_be_read_forgets_nothing(space: Ramped) -> None:
    space.rolled_out()
    space.counted(FAILING)
    kept = {name: space.status[name] for name in ("goodRevision", "failedRevision", "ramp")}
    space.edit(replicas="many")
    space.reconcile()
    assert (space.condition("Stalled") or {})["reason"] == "InvalidSpec"
    assert {name: space.status.get(name) for name in kept} == kept


def test_a_bot_that_sleeps_takes_no_step(space: Ramped) -> None:
    space.rolled_out()
    space.edit(replicas=0)
    space.reconcile()
    space.rolled_out()
    space.later()
    assert space.share == 10
    space.edit(replicas=1)
    space.reconcile()
    space.rolled_out()
    assert space.share == 50


def test_a_revision_that_cannot_start_never_gets_a_conversation(space: Ramped) -> None:
    space.fails()
    assert space.runs == 1
    assert space.status["failedRevision"]["reason"] == "CrashLoop"
    space.rolled_out()
    assert space.told is None


@pytest.mark.parametrize(("container", "runs"), [("worker", 1), ("draining-worker", 2)])
def test_a_container_that_keeps_ending_ends_the_ramp_of_its_own_revision(
    space: Ramped, container: str, runs: int
) -> None:
    space.rolled_out()
    template = space.get("Deployment", "clerk")["spec"]["template"]["metadata"]
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    state = {"name": container, "restartCount": 2, "state": {"waiting": {"reason": "x"}}, "lastState": ended}
    metadata = {"name": "clerk-new", "namespace": "shop", **template}
    pod = {"kind": "Pod", "metadata": metadata, "status": {"phase": "Running", "containerStatuses": [state]}}
    space.cluster._hold(pod)

    def unready(obj: Object) -> None:
        obj["status"]["availableReplicas"] = 0

    space._put("Deployment", unready)
    space.reconcile()
    assert space.runs == runs
    if runs == 1:
        failed = space.status["failedRevision"]
        assert (failed["reason"], failed["message"].partition(": ")[0]) == ("RampFailed", "CrashLoop")
        space.rolled_out()
        assert (space.condition("RolledOut") or {})["reason"] == "RampFailed"


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "forgotten"])
def test_a_pin_to_the_revision_before_returns_at_once(space: Ramped, kept: bool) -> None:
    space.rolled_out()
    if not kept:
        space.publish(2)
    space.edit(bundleRef={"name": "clerk", "revision": artifact(1)["revision"]})
    space.reconcile()
    assert space.runs == 1
    assert space.containers == ["supervisor", "worker"]
    assert space.share == 0
    space.rolled_out()
    assert "ramp" not in space.status
    assert space.told is None
    assert space.condition("Stalled") is None


@pytest.mark.parametrize(("share", "reached"), [(50, 50), (11, 50), (10, 10)])
def test_who_promotes_does_not_wait(space: Ramped, share: int, reached: int) -> None:
    space.rolled_out()
    space.annotate(promote=f"{artifact(2)['revision']}={share}")
    space.reconcile()
    assert space.share == reached
    space.reconcile()
    assert space.share == reached, "once"


def test_a_promotion_to_all_ends_the_ramp(space: Ramped) -> None:
    space.rolled_out()
    space.annotate(promote=f"{artifact(2)['revision']}=100")
    space.reconcile()
    assert space.containers == ["supervisor", "worker"]
    space.rolled_out()
    assert space.status["goodRevision"]["digest"] == artifact(2)["digest"]


@pytest.mark.parametrize("text", ["main@sha1:another=100", "nonsense", "=100"])
def test_a_promotion_of_something_else_is_none(space: Ramped, text: str) -> None:
    space.rolled_out()
    space.annotate(promote=text)
    space.reconcile()
    assert space.share == 10


def test_a_newer_revision_takes_the_place_of_the_one_that_is_ramped(space: Ramped) -> None:
    space.rolled_out()
    space.later()
    assert space.share == 50
    space.publish(3, 2, 1)
    space.reconcile()
    assert space.runs == 3
    assert space.beside == artifact(1)["revision"], "beside the last good one"
    assert space.share == 0
    space.rolled_out()
    assert space.share == 10
    assert space.status["ramp"]["revision"] == artifact(3)["revision"]


def test_a_change_of_the_pods_keeps_the_share_until_they_are_replaced(space: Ramped) -> None:
    space.rolled_out()
    space.edit(resources={"requests": {"cpu": "1"}})
    space.reconcile()
    space.later()
    assert space.share == 10, "a step waits for the rollout"
    space.rolled_out()
    assert space.share == 50


def test_a_spec_without_a_ramp_lets_it_take_over_at_once(space: Ramped) -> None:
    space.rolled_out()
    space.edit(rollout={})
    space.reconcile()
    assert space.containers == ["supervisor", "worker"]
    space.rolled_out()
    assert space.status["goodRevision"]["digest"] == artifact(2)["digest"]
    assert "ramp" not in space.status


def test_a_suspended_bot_stays_where_it_is(space: Ramped) -> None:
    space.rolled_out()
    space.edit(suspend=True)
    space.later()
    assert space.share == 10
    assert space.status["ramp"]["share"] == 10
    assert space.status["goodRevision"]["digest"] == artifact(1)["digest"]
    space.edit(suspend=False)
    space.later()
    assert space.share == 50


@pytest.mark.parametrize("ramp", [[], [100]], ids=["none", "all at once"])
def test_without_steps_a_revision_takes_over_as_a_whole(ramp: list[int]) -> None:
    space = Ramped(rollout={"ramp": ramp})
    assert space.containers == ["supervisor", "worker"]
    space.rolled_out()
    assert space.status["goodRevision"]["digest"] == artifact(2)["digest"]


def test_the_first_revision_has_none_beside_it() -> None:
    space = Space(1, **RAMP)
    space.reconcile()
    space.rolled_out()
    assert space.status["goodRevision"]["digest"] == artifact(1)["digest"]
    assert "ramp" not in space.status


def test_a_ramp_waits_while_conversations_end_on_an_older_revision() -> None:
    from tests.unit.operator.reconcile.test_state_gate import ASK, PAY, Gated, Stored

    drain: Object = {"rollout": {"onIncompatibleState": "Drain"}}
    gated = Gated(Stored("ask"), {1: ASK, 2: PAY, 3: PAY}, **drain)
    gated.publish(2, 1)
    gated.reconcile()
    gated.counted()
    gated.rolled_out()
    gated.edit(rollout={"onIncompatibleState": "Drain", "ramp": [10, 100]})
    gated.publish(3, 2, 1)
    gated.reconcile()
    assert gated.runs == 2
    waiting = gated.condition("Reconciling") or {}
    assert waiting["reason"] == "ConversationsDraining"
    assert "is ramped" in waiting["message"]
