"""Running other programs to their end, with errors that name the command."""

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
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


def stream(
    argv: Sequence[str | Path],
    *,
    log: Path,
    on_line: Callable[[str], None],
    on_tick: Callable[[], None] = lambda: None,
    seconds: float,
    failed: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command that takes long, with its output in a log and shown as it comes.

    Args:
        argv: Command line.
        log: File that the output is appended to.
        on_line: Called with each line.
        on_tick: Called at least once a second, also while the command is silent.
        seconds: Time-out.
        failed: What to say when it fails: what happened and what to do.
        env: Whole environment; this process's where absent.
        cwd: Working folder.

    Raises:
        ClusterError: It cannot be started, takes too long or fails.
    """
    deadline = time.monotonic() + seconds
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=1000)
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        process = subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
        )
    except OSError as error:
        raise ClusterError(f"{argv[0]} cannot be started: {error.strerror}") from error
    reader = threading.Thread(target=_read_lines, args=(process, lines), daemon=True)
    reader.start()
    try:
        with log.open("ab") as output:
            ended = False
            while not ended:
                try:
                    line = lines.get(timeout=1.0)
                except queue.Empty:
                    line = b""
                if line is None:
                    ended = True
                elif line:
                    output.write(line)
                    on_line(line.decode(errors="replace").strip())
                on_tick()
                if time.monotonic() > deadline:
                    raise ClusterError(f"`{argv[0]}` did not end within {seconds:.0f} s.", log=log)
        code = process.wait(timeout=10)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code != 0:
        raise ClusterError(failed, log=log)


def _read_lines(process: subprocess.Popen[bytes], lines: "queue.Queue[bytes | None]") -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)
