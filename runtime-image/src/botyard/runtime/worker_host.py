"""The host of workers: the first process of the worker's container, which starts and kills them on demand.

It holds no secret and imports no bundle code. Its own environment is what workers get, without anything that names
a credential of the platform, because there is none in this container.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from botyard.contract import names
from botyard.runtime import frames, logs, memory
from botyard.runtime.memory_guard import MemoryGuard
from botyard.runtime.output_pipe import OutputPipe

log = logging.getLogger("botyard.worker_host")

LOG_RATE = 256 * 1024
"""Bytes a second that one worker may write to its log, on average; what exceeds it is dropped and counted."""
LOG_BURST = 4 * LOG_RATE
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE")
"""Variables that workers inherit. Everything else stays here."""

_PF_EXITING = 0x4
"""Linux sets it before a process that ends gives back memory and connections."""


@dataclass(slots=True)
class _Worker:
    """One that was started and is not reaped."""

    process: asyncio.subprocess.Process
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: it does nothing any more, and may still be giving back its memory."""


class WorkerHost:
    """Starts, kills and reaps the workers of one supervisor."""

    def __init__(self, socket_path: str, *, cgroup: Path | None = None) -> None:
        """Prepare; `run` serves.

        Args:
            socket_path: Where the supervisor listens.
            cgroup: Control group whose memory the workers share; None: the container's own.
        """
        self._guard = MemoryGuard(self._pids, self._kill, folder=cgroup)
        self._socket_path = socket_path
        self._workers: dict[str, _Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve supervisors, one after the other, until `stop` was called and the last one went away."""
        guarding = asyncio.create_task(self._guard.run(), name="memory-guard")
        try:
            while channel := await self._connect():
                try:
                    await self._serve(channel)
                finally:
                    channel.close()
                    await self._kill_all()
        finally:
            guarding.cancel()

    def stop(self) -> None:
        """Serve the present supervisor to its end and no other.

        A pod's containers are told to stop at the same time, but workers must outlive the supervisor's drain.
        """
        self._stopping.set()

    async def _connect(self) -> frames.Channel | None:
        wait = 0.05
        while not self._stopping.is_set():
            try:
                return await frames.connect(self._socket_path)
            except OSError:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait * random.uniform(0.5, 1.0)):  # noqa: S311
                        await self._stopping.wait()
                wait = min(wait * 2, 1.0)
        return None

    async def _serve(self, channel: frames.Channel) -> None:
        await channel.send({"t": "host", "pid": os.getpid()})
        try:
            while (message := await channel.receive()) is not None:
                worker = str(message.get("worker"))
                if message["t"] == "spawn":
                    await self._spawn(channel, worker)
                elif message["t"] == "kill":
                    self._kill(worker)
        except frames.ProtocolError as error:
            log.error("the supervisor sent nonsense, connecting again: %s", error)

    async def _spawn(self, channel: frames.Channel, worker: str) -> None:
        pipe = await OutputPipe.open(limit=logs.MAX_LINE * 8)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "botyard.runtime.worker_process",
                self._socket_path,
                worker,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe.write_end,
                stderr=asyncio.subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if name in _ENVIRONMENT},
                start_new_session=True,
            )
        except BaseException:
            pipe.close()
            raise
        pipe.started()
        started = self._workers[worker] = _Worker(process)
        task = asyncio.create_task(self._watch(channel, worker, started, pipe))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, channel: frames.Channel, name: str, worker: _Worker, pipe: OutputPipe) -> None:
        pump = asyncio.create_task(_pump(pipe.reader, name))
        ending, killed = asyncio.create_task(worker.process.wait()), asyncio.create_task(worker.killed.wait())
        await asyncio.wait((ending, killed), return_when=asyncio.FIRST_COMPLETED)
        # A killed process runs no code any more, but takes half a second to give back gigabytes: its turns need not
        # wait for that.
        code = ending.result() if ending.done() else -signal.SIGKILL
        # What the worker left behind in its process group must not live on.
        self._end_group(worker)
        message = {"t": "exited", "worker": name, "code": max(code, 0), "signal": -min(code, 0)}
        with contextlib.suppress(ConnectionError):
            await channel.send(message)
        await ending
        killed.cancel()
        self._workers.pop(name, None)
        self._reap_orphans()
        await pipe.finish(pump)

    def _reap_orphans(self) -> None:
        """Reap what workers left behind: as the container's first process this one inherits it."""
        ours = set(self._pids().values())
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if found.si_pid in ours:
                    return
                os.waitpid(found.si_pid, os.WNOHANG)

    def _pids(self) -> dict[str, int]:
        return {name: worker.process.pid for name, worker in self._workers.items()}

    def _kill(self, name: str) -> None:
        worker = self._workers.get(name)
        if worker is not None:
            by_itself = _is_ending(worker.process.pid)
            self._end_group(worker)
            if not by_itself:
                worker.killed.set()

    def _end_group(self, worker: _Worker) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)

    async def _kill_all(self) -> None:
        """Kill all workers and return when they, and what they started, are gone."""
        for worker in list(self._workers):
            self._kill(worker)
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _is_ending(pid: int) -> bool:
    """Tell whether a process is on its way out already: then how it ended is its own affair (see proc(5), flags)."""
    try:
        flags = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[6])
    except OSError:
        return True
    return bool(flags & _PF_EXITING)


async def _pump(stream: asyncio.StreamReader, worker: str) -> None:
    """Copy a worker's output to this process's, no faster than LOG_RATE."""
    loop = asyncio.get_running_loop()
    allowed, at, dropped = float(LOG_BURST), loop.time(), 0
    out = sys.stdout.buffer
    while chunk := await stream.read(65_536):
        now = loop.time()
        allowed = min(LOG_BURST, allowed + (now - at) * LOG_RATE)
        at = now
        if len(chunk) > allowed:
            dropped += len(chunk)
            continue
        allowed -= len(chunk)
        if dropped:
            notice = logs.format_line("warning", f"{dropped} bytes of output were dropped", worker=worker)
            out.write(f"\n{notice}\n".encode())
            dropped = 0
        out.write(chunk)
        out.flush()


async def _main(socket_path: str, cgroup: Path | None) -> None:
    host = WorkerHost(socket_path, cgroup=cgroup)
    memory.settle()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, host.stop)
    await host.run()


def run(argv: Sequence[str]) -> int:
    """Run the host until it is told to stop and its supervisor has gone.

    Args:
        argv: Command line: `--socket PATH`, `--cgroup FOLDER`.
    """
    parser = argparse.ArgumentParser(prog="botyard worker-host")
    parser.add_argument("--socket", default=f"{names.SOCKET_DIR}/{names.WORKER_SOCKET}")
    parser.add_argument("--cgroup", type=Path, help="control group whose memory is watched; default: the container's")
    options = parser.parse_args(argv)
    logs.configure()
    asyncio.run(_main(options.socket, options.cgroup))
    return 0
