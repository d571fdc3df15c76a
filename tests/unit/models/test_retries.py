"""Tries, pauses, and a provider that is left alone."""

from datetime import UTC, datetime

import pytest

from botyard.models.breaker import Breaker
from botyard.models.errors import CircuitOpen
from botyard.models.retries import RetryPolicy, retry_after


def test_pauses_grow_are_spread_and_end():
    policy = RetryPolicy(tries=5, first=1.0, longest=3.0)
    assert [policy.pause(n, None, chance=lambda: 1.0) for n in range(1, 6)] == [1.0, 2.0, 3.0, 3.0, None]
    assert policy.pause(1, None, chance=lambda: 0.0) == 0.5


def test_a_provider_is_not_asked_earlier_than_it_says_nor_waited_for_without_end():
    policy = RetryPolicy(patience=10)
    assert 4 <= (policy.pause(1, 4.0) or 0) <= 5
    assert policy.pause(1, 11.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:05 GMT"}, 5.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after(headers, now=datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds


def test_a_breaker_opens_lets_one_through_and_closes():
    now = 0.0
    breaker = Breaker("m", threshold=2, pause=5, clock=lambda: now)
    for _ in range(2):
        breaker.enter()
        breaker.failed()
    with pytest.raises(CircuitOpen, match="m failed 2 times in a row"):
        breaker.enter()
    now = 5.0
    breaker.enter()
    with pytest.raises(CircuitOpen, match="another call is trying it"):
        breaker.enter()
    breaker.failed()
    now = 14.0
    with pytest.raises(CircuitOpen):
        breaker.enter()
    now = 15.0
    breaker.enter()
    breaker.succeeded()
    breaker.enter()


def test_a_probe_that_says_nothing_lets_another_one_through():
    now = 0.0
    breaker = Breaker("m", threshold=1, pause=1, clock=lambda: now)
    breaker.failed()
    now = 1.0
    breaker.enter()
    breaker.left()
    breaker.enter()
