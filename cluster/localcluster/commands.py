"""Running other programs to their end, with errors that name the command."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcluster.errors import ClusterError


def run(
    argv: Sequence[str | Path],
    *,
    seconds: float = 60.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    text: str | None = None,
) -> str:
    """Run a command to its end and return its standard output.

    Args:
        argv: Command line.
        seconds: Time-out.
        env: Whole environment; this process's where absent.
        cwd: Working folder.
        text: Standard input.

    Raises:
        ClusterError: It cannot be started, takes too long or fails; with the end of what it wrote.
    """
    shown = " ".join(str(part) for part in argv)
    try:
        result = subprocess.run(
            [str(part) for part in argv],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=None if env is None else dict(env),
            cwd=cwd,
            input="" if text is None else text,
        )
    except FileNotFoundError as error:
        raise ClusterError(f"{argv[0]} is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{shown}` did not end within {seconds:.0f} s.") from error
    if result.returncode != 0:
        output = (result.stderr.strip() or result.stdout.strip())[-2000:]
        raise ClusterError(f"`{shown}` failed (exit code {result.returncode}):\n{output}")
    return result.stdout


def succeeds(argv: Sequence[str | Path], *, seconds: float = 10.0) -> bool:
    """Whether a command exists and ends with code 0."""
    try:
        run(argv, seconds=seconds)
    except ClusterError:
        return False
    return True
