"""A revision's scenarios on the real cluster: run in a restricted pod before it takes over."""

from typing import Any

from tests.cluster.bots import counter
from tests.cluster.spaces import Space

SCENARIO = "scenario: It counts\nsteps:\n- {{say: hello, expect: '{version}: message 1 was hello'}}\n"


def _files(version: str, *, says: str) -> dict[str, str]:
    """Return a bundle that answers with `version`, and a scenario that wants to hear `says`."""
    return counter(version) | {"scenarios/count.yaml": SCENARIO.format(version=says)}


def _run(space: Space) -> dict[str, Any]:
    run: dict[str, Any] = ((space.get("bot", "counter") or {}).get("status") or {}).get("scenarios") or {}
    return run


def test_a_revision_takes_over_once_its_scenarios_passed_and_never_where_they_fail(space: Space) -> None:
    good = space.push(_files("v1", says="v1"))
    space.bundle()
    space.bot()
    space.ready("bundle/counter", "bot/counter")
    assert _run(space)["passed"] is True
    assert _run(space)["total"] == 1
    assert (space.get("bundle", "counter") or {})["status"]["manifest"]["scenarios"] == 1
    conversation = space.conversation()
    assert "v1: message 1 was hello" in conversation.say("hello")

    space.push(_files("v2", says="v1"))
    space.eventually(
        "the scenarios of the new revision fail",
        lambda: space.condition("bot", "counter", "Stalled").get("reason") == "ScenariosFailed",
        "bot/counter",
        seconds=300,
    )
    message = space.condition("bot", "counter", "Stalled")["message"]
    assert "'It counts' (scenarios/count.yaml:3)" in message
    assert space.condition("bot", "counter", "Ready")["status"] == "True"
    assert space.revision().endswith(good)
    assert "v1: message 2 was again" in conversation.say("again")

    third = space.push(_files("v3", says="v3"))
    space.eventually("the mended revision runs", lambda: space.revision().endswith(third), "bot/counter", seconds=300)
    space.eventually(
        "it has taken over", lambda: not space.condition("bot", "counter", "Stalled"), "bot/counter", seconds=300
    )
    space.ready("bot/counter")
    assert "v3: message 3 was at last" in conversation.say("at last")
