"""Conditions in the sense of kstatus."""

from datetime import UTC, datetime

import pytest

from botyard_operator.conditions import ConditionState, find, ready, reconciling, stalled, summarise

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


def test_a_new_condition_gets_the_present_time_and_the_generation() -> None:
    assert summarise([ready("False", "Progressing", "soon")], previous=None, generation=3, now=NOON) == [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Progressing",
            "message": "soon",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-01-01T12:00:00Z",
        }
    ]


def test_the_transition_time_moves_only_when_the_status_flips() -> None:
    first = summarise([ready("False", "Progressing", "soon")], previous=None, generation=1, now=NOON)
    told_more = summarise([ready("False", "CrashLoop", "why")], previous=first, generation=2, now=LATER)
    assert find(told_more, "Ready")["lastTransitionTime"] == "2026-01-01T12:00:00Z"  # type: ignore[index]
    flipped = summarise([ready("True", "Succeeded", "")], previous=told_more, generation=2, now=LATER)
    assert find(flipped, "Ready")["lastTransitionTime"] == "2026-01-01T13:00:00Z"  # type: ignore[index]


def test_what_no_longer_holds_is_absent() -> None:
    before = summarise(
        [ready("False", "InvalidSpec", "x"), stalled("InvalidSpec", "x")], previous=None, generation=1, now=NOON
    )
    after = summarise(
        [ready("False", "Progressing", "y"), reconciling("Progressing", "y")], previous=before, generation=2, now=NOON
    )
    assert [condition["type"] for condition in after] == ["Ready", "Reconciling"]


def test_ready_is_always_present_and_no_type_twice() -> None:
    with pytest.raises(ValueError, match="Ready"):
        summarise([reconciling("Progressing", "")], previous=None, generation=1, now=NOON)
    twice = [ready("True", "Succeeded", ""), ConditionState("Ready", "False", "Progressing")]
    with pytest.raises(ValueError, match="twice"):
        summarise(twice, previous=None, generation=1, now=NOON)
