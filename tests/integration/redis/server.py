"""A real Redis for tests: started on a socket of its own, killed and started again on demand."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from botyard.core.connection import connect

START_TIMEOUT = 60.0
ADVICE = {"valkey-server": " (apt-get install valkey-server; Debian 12: from bookworm-backports)"}


class RedisServer:
    """One redis-server with its own folder; its data survive `kill` as far as `appendfsync` promises."""

    def __init__(
        self,
        folder: Path,
        *,
        appendfsync: str | None = None,
        program: str = "redis-server",
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        persistence = ["--save", ""]
        if appendfsync:
            persistence += ["--appendonly", "yes", "--appendfsync", appendfsync]
        binary = shutil.which(program)
        if binary is None:
            pytest.fail(f"{program} is not installed; `make test` installs it{ADVICE.get(program, '')}")
        self._command = [binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder)]
        self._command += [*persistence, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers."""
        self._process = subprocess.Popen(
            self._command, stdout=(self.folder / "redis.log").open("ab"), stderr=subprocess.STDOUT
        )
        client = redis.Redis.from_url(self.url)
        deadline = _now() + START_TIMEOUT
        while True:
            with contextlib.suppress(redis.RedisError):
                if client.ping():
                    client.close()
                    return
            if self._process.poll() is not None or _now() > deadline:
                pytest.fail(f"redis-server did not start:\n{(self.folder / 'redis.log').read_text()[-2000:]}")
            _pause()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End the server as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


def _now() -> float:
    import time

    return time.monotonic()


def _pause() -> None:
    import time

    time.sleep(0.01)


@contextlib.contextmanager
def running_redis(
    *, appendfsync: str | None = None, program: str = "redis-server", options: Sequence[str] = ()
) -> Iterator[RedisServer]:
    """A Redis for the length of the context."""
    folder = Path(tempfile.mkdtemp(prefix="by-redis-"))
    server = RedisServer(folder, appendfsync=appendfsync, program=program, options=options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for all tests of this process; each test's client begins with an empty database."""
    with running_redis() as server:
        yield server


@pytest.fixture
async def redis_client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of the shared Redis, which is empty at first."""
    client = connect(redis_server.url)
    await client.flushall()
    yield client
    await client.aclose()


async def eventually(check: "object", timeout: float = 10.0) -> None:
    """Wait until `check()` is true, or fail after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while True:
            answer = check()  # type: ignore[operator]
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.01)
