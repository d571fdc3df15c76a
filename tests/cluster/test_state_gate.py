"""Conversations that a new revision cannot go on with: held back, and begun anew where the Bot says so."""

from tests.cluster.bots import SOURCE
from tests.cluster.spaces import Space


def counter(version: str, waits_in: str) -> dict[str, str]:
    """Return a bundle whose sessions wait for their user in this state."""
    return {"bot.py": SOURCE.format(version=version).replace("listen", waits_in)}


def test_a_revision_without_the_conversations_state_waits_and_reset_begins_them_anew(space: Space) -> None:
    old = space.push(counter("v1", "listen"))
    space.bundle()
    space.bot()
    space.ready("bundle/counter", "bot/counter")
    ada = space.conversation()
    assert "v1: message 1 was hello" in ada.say("hello")

    new = space.push(counter("v2", "wait"))

    def blocked() -> bool:
        return space.condition("bot", "counter", "StateCompatible").get("reason") == "StateIncompatible"

    space.eventually("the revision is held back", blocked, "bundle/counter", "bot/counter")
    message = space.condition("bot", "counter", "StateCompatible")["message"]
    for told in (
        "1 of 1 stored conversations",
        "StateGone listen (1)",
        new,
        old,
        "onIncompatibleState: Drain or Reset",
    ):
        assert told in message
    assert space.condition("bot", "counter", "Ready")["status"] == "True"
    assert space.condition("bot", "counter", "Stalled")["reason"] == "StateIncompatible"
    assert "v1: message 2 was still here?" in ada.say("still here?")
    bob = space.conversation()
    assert "v1: message 1 was hi there" in bob.say("hi there")

    space.run("patch", "bot", "counter", "--type=merge", '-p={"spec": {"rollout": {"onIncompatibleState": "Reset"}}}')
    space.eventually("the new revision runs", lambda: space.revision().endswith(new), "bot/counter")
    space.ready("bot/counter")
    told = space.condition("bot", "counter", "StateCompatible")
    assert (told["status"], told["reason"]) == ("True", "ConversationsReset")
    assert "2 of 2 stored conversations" in told["message"]
    turn = ada.send("and now?")
    said = ada.answer(turn)
    assert "v2: message 1 was reset" in said
    assert "v2: message 2 was on we go" in ada.say("on we go")
    kinds = [
        event["event"]
        for event in space.http(space.token())
        .get(f"{ada.base}/conversations/{ada.identifier}/events", params={"follow": "false"})
        .json()["events"]
    ]
    assert "fsm.session_reset" in kinds


def test_conversations_end_on_the_old_revision_while_new_ones_begin_on_the_new_one(space: Space) -> None:
    old = space.push(counter("v1", "listen"))
    space.bundle()
    space.bot(rollout={"onIncompatibleState": "Drain"})
    space.ready("bundle/counter", "bot/counter")
    ada = space.conversation()
    assert "v1: message 1 was hello" in ada.say("hello")

    new = space.push(counter("v2", "wait"))
    space.eventually("the new revision runs", lambda: space.revision().endswith(new), "bundle/counter", "bot/counter")
    space.ready("bot/counter")
    told = space.condition("bot", "counter", "StateCompatible")
    assert (told["status"], told["reason"]) == ("False", "ConversationsDraining")
    assert old in told["message"]
    (pod,) = space.pods()
    assert "draining-worker" in [each["name"] for each in pod["spec"]["containers"]]
    assert "v1: message 2 was still here?" in ada.say("still here?")
    bob = space.conversation()
    assert "v2: message 1 was hello" in bob.say("hello")
    # Ada begins anew: nobody needs the old revision any more, and the next count finds it.
    assert "v2: message 1 was reset" in ada.say("hi")

    def alone() -> bool:
        return all("draining-worker" not in [c["name"] for c in each["spec"]["containers"]] for each in space.pods())

    space.eventually("the old revision is gone", alone, "bot/counter")
    space.ready("bot/counter")
    assert space.condition("bot", "counter", "StateCompatible")["status"] == "True"
    assert "v2: message 2 was on we go" in ada.say("on we go")
    assert "v2: message 2 was me too" in bob.say("me too")


def test_a_revision_that_every_conversation_can_go_on_with_passes(space: Space) -> None:
    space.push(counter("v1", "listen"))
    space.bundle()
    space.bot()
    space.ready("bundle/counter", "bot/counter")
    ada = space.conversation()
    assert "v1: message 1 was hello" in ada.say("hello")
    more = counter("v2", "listen")
    more["bot.py"] = more["bot.py"].replace('"answer"]', '"answer", "done"]') + (
        "\n    def on_enter_done(self):\n        self.status = Status.END\n"
    )
    new = space.push(more)
    space.eventually("the new revision runs", lambda: space.revision().endswith(new), "bundle/counter", "bot/counter")
    space.ready("bot/counter")
    told = space.condition("bot", "counter", "StateCompatible")
    assert (told["status"], told["reason"]) == ("True", "Succeeded")
    assert "v2: message 2 was again" in ada.say("again")
