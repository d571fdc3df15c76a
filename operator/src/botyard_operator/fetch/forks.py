"""The operator's side of the fork server: starts it when a fetch needs it, and lets it go when there is no work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from botyard_operator.fetch.process import base_environment, kill_group

_IDLE_SECONDS = 120.0
_ATTEMPTS = 2


class _ServerGone(Exception):
    """The server ended before it had started a child."""


@dataclass(slots=True)
class Fork:
    """A child process, as `asyncio.subprocess.Process` would show it."""

    pid: int
    stdin: asyncio.StreamWriter
    stderr: asyncio.StreamReader
    report: asyncio.StreamReader
    returncode: int | None
    _status: asyncio.StreamReader

    async def wait(self) -> int:
        """Return the exit code once it has ended; negative: the signal that killed it."""
        if self.returncode is None:
            text = await self._status.read()
            # Without a word the server itself was killed, and its children with it.
            self.returncode = int(text) if text.strip() else -signal.SIGKILL
        return self.returncode


class ForkServer:
    """Gives forked fetch children."""

    def __init__(self, *, idle_seconds: float = _IDLE_SECONDS) -> None:
        """Prepare; nothing is started yet.

        Args:
            idle_seconds: how long the server stays without a child.
        """
        self._idle_seconds = idle_seconds
        self._server: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._children = 0
        self._leaving: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def child(self, work_dir: Path) -> AsyncIterator[Fork]:
        """Give a child that waits for its request; at the end of the block no process of it is left."""
        self._children += 1
        if self._leaving is not None:
            self._leaving.cancel()
        try:
            async with contextlib.AsyncExitStack() as stack:
                fork = await self._fork(work_dir, stack)
                try:
                    yield fork
                finally:
                    await kill_group(fork)
        finally:
            self._children -= 1
            if not self._children:
                self._leaving = asyncio.get_running_loop().call_later(self._idle_seconds, self._leave)

    async def close(self) -> None:
        """End the server, and with it all children."""
        if self._leaving is not None:
            self._leaving.cancel()
        server = self._server
        self._leave()
        if server is not None:
            await asyncio.to_thread(server.wait)

    async def _fork(self, work_dir: Path, stack: contextlib.AsyncExitStack) -> Fork:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._try_to_fork(work_dir, stack)
            except _ServerGone:
                self._leave()
                if attempt == _ATTEMPTS:
                    raise ChildProcessError("the server of fetch processes ends at once; see the log") from None
        raise AssertionError

    async def _try_to_fork(self, work_dir: Path, stack: contextlib.AsyncExitStack) -> Fork:
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(4)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1]]
        try:
            with contextlib.suppress(OSError):
                # A server that is gone is found by the silence that follows.
                socket.send_fds(self._connection(), [os.fsencode(work_dir)], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        stdin = await _writer(pipes[0][1], stack)
        stderr, report, status = [await _reader(read, stack) for read, _ in pipes[1:]]
        line = await status.readline()
        if not line:
            raise _ServerGone
        return Fork(int(line), stdin, stderr, report, None, status)

    def _connection(self) -> socket.socket:
        if self._socket is None or self._server is None or self._server.poll() is not None:
            self._leave()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, "-I", "-m", "botyard_operator.fetch.fork_server", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    cwd="/",
                    env=base_environment(),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            self._socket = ours
        return self._socket

    def _leave(self) -> None:
        """Hang up; the server ends by itself."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._server = None


async def _reader(descriptor: int, stack: contextlib.AsyncExitStack) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    stack.callback(transport.close)
    return reader


async def _writer(descriptor: int, stack: contextlib.AsyncExitStack) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb", buffering=0)
    )
    stack.callback(transport.close)
    return asyncio.StreamWriter(transport, protocol, None, loop)
