"""Token buckets."""

import pytest

from botyard.gateway.rate import RateLimiter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_then_the_rate_holds() -> None:
    clock = Clock()
    limiter = RateLimiter(2, 3, clock=clock)
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 0]
    assert limiter.take("a") == pytest.approx(0.5)
    clock.now = 0.5
    assert limiter.take("a") == 0
    assert limiter.take("a") > 0


def test_waiting_long_gives_no_more_than_the_burst() -> None:
    clock = Clock()
    limiter = RateLimiter(100, 2, clock=clock)
    limiter.take("a")
    clock.now = 1000
    assert [limiter.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_callers_do_not_share() -> None:
    limiter = RateLimiter(0.001, 1)
    assert limiter.take("a") == 0
    assert limiter.take("a") > 0
    assert limiter.take("b") == 0


def test_no_rate_means_no_limit() -> None:
    limiter = RateLimiter(0, 1)
    assert [limiter.take("a") for _ in range(100)] == [0] * 100


def test_callers_without_number_take_bounded_memory() -> None:
    limiter = RateLimiter(1, 1, size=10)
    for number in range(1000):
        limiter.take(number)
    assert len(limiter._buckets) == 10
