"""A way to Redis that knows where a replica is: it can be struck just before or just after one of its writes."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from botyard.core.scripts import digest

When = Literal["before", "after"]


@dataclass(frozen=True)
class Breakpoint:
    """A place in the life of a replica.

    Attributes:
        when: `before`: the write never reaches Redis; `after`: it is done, and the replica does not learn it.
        scripts: Names of the scripts that write.
        contains: Bytes that the request holds.
    """

    when: When
    scripts: tuple[str, ...]
    contains: bytes

    def holds(self, request: bytes) -> bool:
        """Tell whether this request is the one."""
        return self.contains in request and any(digest(name).encode() in request for name in self.scripts)


class Breakpoints:
    """Forwards between replicas and one Redis; strikes a replica where it is told to, once."""

    def __init__(self, target: Path, strike: Callable[[int], None]) -> None:
        """Prepare.

        Args:
            target: Redis's socket.
            strike: Ends the process of a number, at once.
        """
        self._target = target
        self._strike = strike
        self._wanted: Breakpoint | None = None
        self.last = 0
        """The process that wrote last."""

    def at(self, wanted: Breakpoint) -> None:
        """Strike whoever comes to this place next."""
        self._wanted = wanted

    @property
    def reached(self) -> bool:
        """Whether it was."""
        return self._wanted is None

    async def serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        redis_in, redis_out = await asyncio.open_unix_connection(str(self._target))
        process, doomed = _process_of(client_out), False

        async def requests() -> None:
            nonlocal doomed
            while data := await client_in.read(1 << 20):
                if b"EVALSHA" in data:
                    self.last = process
                if self._wanted is not None and self._wanted.holds(data):
                    wanted, self._wanted = self._wanted, None
                    if wanted.when == "before":
                        self._strike(process)
                        break
                    doomed = True
                redis_out.write(data)
            redis_out.close()

        async def answers() -> None:
            while data := await redis_in.read(1 << 20):
                if doomed:
                    self._strike(process)
                    break
                client_out.write(data)
            client_out.close()

        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(requests(), answers(), return_exceptions=True)
        for writer in (client_out, redis_out):
            writer.close()


def _process_of(writer: asyncio.StreamWriter) -> int:
    """Return the number of the process at the other end of a connection."""
    found = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    number: int = struct.unpack("3i", found)[0]
    return number


@contextlib.asynccontextmanager
async def breakpoints(
    target: Path, folder: Path, strike: Callable[[int], None]
) -> AsyncIterator[tuple[Breakpoints, str]]:
    """Breakpoints in front of the Redis at `target`; yields them and their URL."""
    proxy = Breakpoints(target, strike)
    path = folder / "breakpoints.sock"
    server = await asyncio.start_unix_server(proxy.serve, path=str(path), limit=1 << 21)
    try:
        yield proxy, f"unix://{path}"
    finally:
        server.close()
