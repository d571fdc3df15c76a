"""A revision that is ramped: conversations stay where they began, new ones are shared, failures take it back."""

from tests.cluster.bots import counter
from tests.cluster.client import Conversation
from tests.cluster.spaces import Space

RAMP = {"ramp": [50, 100], "rampPause": "1h"}


def ramped(space: Space, files: dict[str, str]) -> Conversation:
    """Bring a Bot to where half of the new conversations begin on a new revision; return one that began before."""
    space.push(counter("v1"))
    space.bundle()
    space.bot(rollout=RAMP)
    space.ready("bundle/counter", "bot/counter")
    ada = space.conversation()
    assert "v1: message 1 was hello" in ada.say("hello")
    space.push(files)
    space.eventually("half of the conversations", lambda: share(space) == 50, "bundle/counter", "bot/counter")
    return ada


def share(space: Space) -> int | None:
    status = (space.get("bot", "counter") or {}).get("status") or {}
    found: int | None = (status.get("ramp") or {}).get("share")
    return found


def containers(space: Space) -> set[str]:
    return {each["name"] for pod in space.pods() for each in pod["spec"]["containers"]}


def test_conversations_stay_on_their_revision_and_all_go_on_with_the_new_one_in_the_end(space: Space) -> None:
    ada = ramped(space, counter("v2"))
    assert containers(space) == {"supervisor", "worker", "draining-worker"}
    begun: dict[str, Conversation] = {}

    def both() -> bool:
        conversation = space.conversation()
        said = conversation.say("hello there")
        begun.setdefault("v1" if "v1: message 1" in said else "v2", conversation)
        return len(begun) == 2

    space.eventually("new conversations begin on both", both, "bot/counter")
    for version, conversation in begun.items():
        assert f"{version}: message 2 was on" in conversation.say("on")
    assert "v1: message 2 was still here" in ada.say("still here")
    new = space.get("bot", "counter")["status"]["ramp"]["revision"]  # type: ignore[index]
    space.run("annotate", "bot/counter", "--overwrite", f"botyard.dev/promote={new}=100")
    space.eventually("the old revision goes", lambda: containers(space) == {"supervisor", "worker"}, "bot/counter")
    space.ready("bot/counter")
    assert "v2: message 3 was and now" in ada.say("and now")
    assert "ramp" not in space.get("bot", "counter")["status"]  # type: ignore[index]


def test_a_revision_whose_turns_fail_is_taken_back(space: Space) -> None:
    broken = counter("v2")
    broken["bot.py"] = broken["bot.py"].replace("self.status = Status.WAIT_FOR_ME", "raise RuntimeError('broken')", 1)
    ada = ramped(space, broken)

    def taken_back() -> bool:
        space.conversation().send("hello")
        return space.condition("bot", "counter", "Stalled").get("reason") == "RampFailed"

    space.eventually("the ramp is given up", taken_back, "bot/counter")
    assert "turns failed" in space.condition("bot", "counter", "Stalled")["message"]
    space.eventually("the old revision runs alone", lambda: containers(space) == {"supervisor", "worker"})
    assert space.condition("bot", "counter", "Ready")["status"] == "True"
    assert "v1: message 2 was still here" in ada.say("still here")
