"""Why a bot is as it is: one cause, one next step."""

from typing import Any

import pytest

from botyard.cli.causes import cause, split_step

Json = dict[str, Any]


def _condition(type_: str, status: str, reason: str, message: str) -> Json:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def _bot(*conditions: Json, seen: int = 1, **spec: Any) -> Json:
    return {
        "metadata": {"name": "clerk", "namespace": "shop", "generation": 1},
        "spec": {"bundleRef": {"name": "clerk"}, **spec},
        "status": {"observedGeneration": seen, "conditions": list(conditions)},
    }


READY = _condition("Ready", "True", "Succeeded", "2 of 2 replicas are available")


def test_a_bot_that_works_needs_nothing() -> None:
    found = cause(_bot(READY), None)
    assert (found.state, found.serves, found.step) == ("ready", True, "")


def test_what_is_stalled_comes_before_what_moves_and_its_step_is_the_messages_own() -> None:
    stalled = _condition(
        "Stalled", "True", "CrashLoop", "pod a cannot import the bundle: x; correct the code and push it"
    )
    moving = _condition("Reconciling", "True", "RollingOut", "1 of 2")
    found = cause(_bot(READY, moving, stalled), None)
    assert (found.state, found.serves, found.reason) == ("stuck", True, "CrashLoop")
    assert found.message == "pod a cannot import the bundle: x"
    assert found.step == "correct the code and push it"


def test_the_cause_behind_a_bundle_that_is_not_ready_is_the_bundles() -> None:
    waiting = _condition("Ready", "False", "BundleNotReady", "Bundle shop/clerk has no revision to run yet")
    bundle = {
        "metadata": {"name": "clerk", "namespace": "shop"},
        "status": {
            "conditions": [_condition("Stalled", "True", "RefNotFound", "branch x is not there: correct the ref")]
        },
    }
    found = cause(_bot(waiting), bundle)
    assert (found.state, found.reason, found.step) == ("stuck", "RefNotFound", "correct the ref")
    assert found.message == "Bundle shop/clerk: branch x is not there"


@pytest.mark.parametrize(
    ("bot", "state", "step"),
    [
        (_bot(READY, seen=0), "moving", "if this lasts: kubectl botyard doctor"),
        (_bot(), "ready", ""),
        (_bot(_condition("Ready", "True", "Asleep", "asleep")), "asleep", ""),
        (
            _bot(_condition("Ready", "True", "Stopped", "stopped")),
            "stopped",
            "kubectl scale bot/clerk -n shop --replicas=1",
        ),
        (
            _bot(_condition("Ready", "False", "PodsNotReady", "none yet")),
            "moving",
            "kubectl describe bot clerk -n shop",
        ),
    ],
)
def test_other_states(bot: Json, state: str, step: str) -> None:
    found = cause(bot, None)
    assert (found.state, found.step) == (state, step)


def test_a_suspended_bot_says_how_to_go_on() -> None:
    assert '"suspend":false' in cause(_bot(READY, suspend=True), None).step


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("a; b; write c", ("a; b", "write c")),
        ("a: create it", ("a", "create it")),
        ("a: b", ("a: b", "")),
        ("", ("", "")),
    ],
)
def test_a_message_is_split_where_the_next_step_begins(message: str, parts: tuple[str, str]) -> None:
    assert split_step(message) == parts
