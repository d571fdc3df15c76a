"""Child processes that never outlive the command that started them."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import TracebackType

from botyard.runtime.output_pipe import OutputPipe

STOP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_LONGEST_LINE = 1 << 20
_RUNNING: set[int] = set()
"""Process groups of the children that run."""


class Child:
    """One child process in a session of its own, so that Ctrl-C reaches only us and we stop it in order.

    Args:
        command: What to run.
        line: Gets each line of its output.
    """

    def __init__(self, command: Sequence[str], line: Callable[[str], None]) -> None:
        self._command = command
        self._line = line
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._pipe: OutputPipe | None = None

    async def __aenter__(self) -> "Child":
        pipe = self._pipe = await OutputPipe.open(limit=_LONGEST_LINE)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe.write_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except BaseException:
            pipe.close()
            raise
        pipe.started()
        _RUNNING.add(self._process.pid)
        self._reader = asyncio.create_task(self._read(pipe.reader))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reader is not None
        assert self._pipe is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            _kill_group(self._process.pid)
            await self._process.wait()
        _RUNNING.discard(self._process.pid)
        await self._pipe.finish(self._reader)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it ended."""
        return None if self._process is None else self._process.returncode

    async def wait(self) -> int:
        """Return its exit code when it ends."""
        assert self._process is not None
        return await self._process.wait()

    async def _read(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self._line(line.decode(errors="replace").rstrip())


def kill_all() -> None:
    """Kill every child that still runs, with its process group, at once."""
    for pid in list(_RUNNING):
        _kill_group(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def readable(line: str) -> str:
    """Return a structured log line as a person reads it; other lines as they are."""
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict) and "message" in record:
            clock = str(record.get("time", ""))[11:19]
            level = str(record.get("level", "info")).upper()
            source = "print" if record.get("logger") == "bundle" else str(record.get("logger", ""))
            turn = f" [{record['turn']}]" if record.get("turn") else ""
            exception = f"\n{record['exception']}" if record.get("exception") else ""
            return f"{clock} {level:<7} {source}: {record['message']}{turn}{exception}"
    return line


def _die_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that happens (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
