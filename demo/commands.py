"""Running other programs to their end, with errors that name the command."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class DemoError(Exception):
    """What went wrong and what to do, for the person at the terminal."""


def run(
    argv: Sequence[str | Path],
    *,
    seconds: float = 60.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a command to its end and return what it printed.

    Args:
        argv: Command line.
        seconds: Time-out.
        cwd: Working folder.
        env: Whole environment; this process's where absent.
        stdin: Standard input.

    Raises:
        DemoError: It cannot be started, takes too long or fails; with the end of what it wrote.
    """
    shown = " ".join(str(part) for part in argv)
    try:
        done = subprocess.run(
            [str(part) for part in argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=cwd,
            env=None if env is None else dict(env),
            check=False,
        )
    except FileNotFoundError as error:
        raise DemoError(f"{argv[0]} is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"`{shown}` did not end within {seconds:.0f} s.") from error
    if done.returncode:
        raise DemoError(
            f"`{shown}` failed (exit code {done.returncode}):\n{(done.stderr or done.stdout).strip()[-3000:]}"
        )
    return done.stdout
