"""How many replicas a Bot has: growing at once, shrinking after `idleAfter`, sleeping when nothing happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botyard_operator.scaling.decisions import Bounds, Window, decide, recommended

SLEEPY = Bounds(least=0, most=10, events_per_replica=20, idle_seconds=600)
AWAKE = Bounds(least=2, most=4, events_per_replica=10, idle_seconds=60)


@pytest.mark.parametrize(("waiting", "replicas"), [(0, 0), (1, 1), (20, 1), (21, 2), (10_000, 10)])
def test_events_that_wait_ask_for_replicas(waiting: int, replicas: int) -> None:
    assert recommended(waiting, SLEEPY) == replicas


def _decide(window: Window, at: float, *, waiting: int = 0, replicas: int, marked: float | None = None) -> int:
    return decide(
        window, replicas=replicas, waiting=waiting, marked=marked, watched_since=-10_000, now=at, bounds=SLEEPY
    )


def test_it_grows_at_once_and_shrinks_only_when_less_was_enough_for_the_whole_time() -> None:
    window = Window()
    assert _decide(window, 0, waiting=100, replicas=1) == 5
    assert _decide(window, 300, waiting=30, replicas=5) == 5
    assert _decide(window, 599, waiting=0, replicas=5) == 5
    assert _decide(window, 601, waiting=0, replicas=5) == 2
    assert _decide(window, 901, waiting=0, replicas=2) == 0


def test_an_event_that_was_accepted_lately_keeps_one_replica() -> None:
    window = Window()
    assert _decide(window, 1000, replicas=0, marked=999) == 1
    assert _decide(window, 1598, replicas=1, marked=999) == 1
    assert _decide(window, 1600, replicas=1, marked=999) == 0


def test_who_takes_over_stops_nothing_before_it_has_watched_long_enough() -> None:
    for now, replicas in ((0.0, 3), (599.0, 3), (601.0, 0)):
        assert decide(Window(), replicas=3, waiting=0, marked=None, watched_since=0, now=now, bounds=SLEEPY) == replicas


def test_the_least_number_is_kept_and_the_greatest_never_exceeded() -> None:
    assert decide(Window(), replicas=0, waiting=0, marked=None, watched_since=0, now=0, bounds=AWAKE) == 2
    assert decide(Window(), replicas=9, waiting=999, marked=0, watched_since=0, now=0, bounds=AWAKE) == 4


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10)), max_size=60), st.floats(1, 500))
def test_a_window_knows_the_greatest_of_its_time(looks: list[tuple[float, int]], seconds: float) -> None:
    window, now, seen = Window(), 0.0, []
    for pause, replicas in looks:
        now += pause
        window.add(now, replicas)
        seen.append((now, replicas))
        expected = max((count for at, count in seen if at > now - seconds), default=None)
        assert window.greatest(now, seconds) == expected


def test_a_window_stays_small() -> None:
    window = Window()
    for number in range(5000):
        window.add(float(number), 5000 - number)
    assert len(window.looks) <= 512
    assert window.greatest(5000, 10_000) == 5000
