"""Pauses between attempts."""

from botyard_operator.fetch.jobs import backoff


def test_pauses_grow_up_to_a_cap_and_are_spread() -> None:
    assert 1.5 <= backoff(1) <= 2
    assert 12 <= backoff(4) <= 16
    assert 225 <= backoff(1000) <= 300
    assert backoff(1000, longest=10) <= 10
    assert len({backoff(5) for _ in range(20)}) > 10
