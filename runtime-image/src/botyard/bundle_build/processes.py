"""Child processes of a build: run to their end or to their deadline, with all that they started, and heard out."""

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from botyard.contract.build import MAX_LOG_BYTES

_TAIL = 16 * 1024
_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended."""

    code: int
    """Exit code; negative: the signal that killed it."""
    output: str
    """The end of what it said."""
    timed_out: bool


class Log:
    """The build's log: in a file for the courier, and on standard output for `kubectl logs`."""

    def __init__(self, path: Path, out: BinaryIO, secrets: Sequence[str] = ()) -> None:
        """Open the log.

        Args:
            path: The file.
            out: Where it is shown, too.
            secrets: Texts that are replaced by asterisks.
        """
        self._file = path.open("ab", buffering=0)
        self._out = out
        self._secrets = [secret.encode() for secret in secrets if secret]
        self._left = MAX_LOG_BYTES - 200
        self._partial = b""

    def line(self, text: str) -> None:
        """Write a line of Botyard's own."""
        self.feed(f"{text}\n".encode())

    def feed(self, block: bytes) -> bytes:
        """Write what a child said; return it as written (whole lines, so that no secret is cut in two)."""
        text = self._partial + block
        cut = text.rfind(b"\n") + 1 or (len(text) if len(text) > _TAIL else 0)
        text, self._partial = text[:cut], text[cut:]
        return self._write(text)

    def flush(self) -> bytes:
        """Write a last line that has no end."""
        text, self._partial = self._partial, b""
        return self._write(text)

    def _write(self, text: bytes) -> bytes:
        for secret in self._secrets:
            text = text.replace(secret, b"***")
        if self._left > 0 and text:
            kept = text[: self._left]
            self._left -= len(kept)
            if self._left <= 0:
                kept += b"\n[the log is cut here: it is too long]\n"
            self._file.write(kept)
            self._out.write(kept)
            self._out.flush()
        return text


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    log: Log,
    memory_bytes: int | None = None,
    file_bytes: int | None = None,
    pass_fds: Sequence[int] = (),
) -> Ended:
    """Run a command in a session of its own; whatever is left of that session is killed at the end.

    Args:
        command: Program and arguments.
        cwd: Its working folder.
        env: Its whole environment.
        seconds: Wall-clock limit.
        log: Where its output goes.
        memory_bytes: Limit on the address space of each of its processes.
        file_bytes: Limit on each file that it writes.
        pass_fds: Descriptors that it inherits.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for kind, value in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_FSIZE, file_bytes)):
            if value is not None:
                hard = resource.getrlimit(kind)[1]
                most = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(kind, (most, most))

    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=pass_fds,
        preexec_fn=limit,
    )
    tail = bytearray()
    timed_out = False
    give_up = time.monotonic() + seconds
    assert process.stdout is not None
    with process.stdout, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        # Not to the end of the output: what a hostile child leaves running would keep it open.
        while process.poll() is None:
            if time.monotonic() > give_up:
                timed_out = True
                _kill(process)
                break
            if selector.select(0.05) and (block := os.read(process.stdout.fileno(), _BLOCK)):
                tail += log.feed(block)
                del tail[:-_TAIL]
        process.wait()
        _kill(process)
        while selector.select(0) and (block := os.read(process.stdout.fileno(), _BLOCK)):
            tail += log.feed(block)
            if time.monotonic() > give_up + 5:
                break
        tail += log.flush()
    return Ended(process.returncode, tail[-_TAIL:].decode(errors="replace"), timed_out)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
