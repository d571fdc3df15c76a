import pytest

from botyard_operator.api.durations import DurationText, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m", 60), ("1h30m", 5400), ("24h", 86400), ("1.5h", 5400), ("250ms", 0.25), ("1m0s", 60)],
)
def test_reads_go_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)
    assert DurationText(text).timedelta.total_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "1d", "m", "-1s", "1m ", " 1m", "1 m", "1s\n", "999999h", "\u0661s"])
def test_says_how_a_duration_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="write for instance 30s"):
        parse_duration(text)
