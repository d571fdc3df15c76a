"""When an object counts as current, and how its state reads in one line."""

from typing import Any

import pytest

from demo.kubectl import is_current
from demo.readiness import describe


def bot(*conditions: tuple[str, str, str], observed: int = 2, generation: int = 2) -> dict[str, Any]:
    made = [{"type": kind, "status": status, "reason": reason, "message": ""} for kind, status, reason in conditions]
    return {"metadata": {"generation": generation}, "status": {"observedGeneration": observed, "conditions": made}}


READY = ("Ready", "True", "Succeeded")


@pytest.mark.parametrize(
    ("obj", "current"),
    [
        (None, False),
        ({"metadata": {"generation": 1}}, False),
        (bot(READY), True),
        (bot(READY, observed=1), False),
        (bot(READY, ("Reconciling", "True", "RollingOut")), False),
        (bot(("Ready", "False", "PodsNotReady")), False),
        (bot(("Ready", "Unknown", "Progressing"), observed=-1), False),
    ],
)
def test_current_means_ready_at_the_newest_spec_with_nothing_under_way(obj: Any, current: bool) -> None:
    assert is_current(obj) is current


@pytest.mark.parametrize(
    ("obj", "line"),
    [
        (None, "does not exist"),
        ({"metadata": {"generation": 1}}, "waiting for the operator"),
        (bot(READY), "Succeeded: Ready"),
        (bot(READY, ("Stalled", "True", "CrashLoop")), "CrashLoop: Stalled"),
        (bot(READY, ("Reconciling", "True", "RollingOut")), "RollingOut: Reconciling"),
    ],
)
def test_the_line_says_the_most_urgent_condition(obj: Any, line: str) -> None:
    assert describe(obj) == line
