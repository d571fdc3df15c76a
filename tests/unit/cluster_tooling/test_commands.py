"""Commands that fail say which they were and what they wrote."""

import time
from pathlib import Path

import pytest

from localcluster.commands import run, stream, succeeds
from localcluster.errors import ClusterError


def test_a_missing_program_is_told() -> None:
    with pytest.raises(ClusterError, match="no-such-program is not installed"):
        run(["no-such-program"])
    assert not succeeds(["no-such-program"])


def test_a_failure_carries_code_and_output() -> None:
    with pytest.raises(ClusterError, match=r"exit code 3(.|\n)*went wrong"):
        run(["sh", "-c", "echo went wrong >&2; exit 3"])


def test_a_time_out_is_told() -> None:
    with pytest.raises(ClusterError, match=r"`sleep 60` did not end"):
        run(["sleep", "60"], seconds=0.1)


def test_lines_are_shown_and_logged_as_they_come(tmp_path: Path) -> None:
    seen: list[str] = []
    log = tmp_path / "log"
    stream(["sh", "-c", "echo one; echo two >&2"], log=log, on_line=seen.append, seconds=10, failed="no")
    assert seen == ["one", "two"]
    assert log.read_text() == "one\ntwo\n"


def test_a_failing_command_ends_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"The build failed\.(.|\n)*undefined: x"):
        stream(
            ["sh", "-c", "echo undefined: x; exit 1"],
            log=tmp_path / "log",
            on_line=lambda _: None,
            seconds=10,
            failed="The build failed.",
        )


def test_a_silent_command_is_ended_at_its_time_out(tmp_path: Path) -> None:
    ticks: list[float] = []
    with pytest.raises(ClusterError, match="did not end within"):
        stream(
            ["sleep", "60"],
            log=tmp_path / "log",
            on_line=lambda _: None,
            on_tick=lambda: ticks.append(time.monotonic()),
            seconds=0.5,
            failed="",
        )
    assert ticks
