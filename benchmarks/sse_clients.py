"""Many event streams in one process, on plain sockets: what the benchmark itself costs stays small."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import cast

Heard = Callable[[bytes, int], None]
"""Gets whole events and when they were read, in nanoseconds of the monotonic clock."""


class Stream(asyncio.Protocol):
    """One client: asks for a stream and tells of what comes."""

    def __init__(self, path: str, heard: Heard) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._heard = heard
        self._rest = b""
        self.opened = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        now = time.monotonic_ns()
        if not self.opened.done():
            self._rest += data
            if b"retry: " not in self._rest and b"event: ready" not in self._rest:
                return
            if not self._rest.startswith(b"HTTP/1.1 200"):
                self.opened.set_exception(RuntimeError(self._rest[:500].decode()))
                return
            self.opened.set_result(None)
            data, self._rest = self._rest, b""
        text = self._rest + data
        end = text.rfind(b"\n\n")
        self._rest = text[end + 2 :]
        if end >= 0:
            self._heard(text[: end + 2], now)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if not self.opened.done():
            self.opened.set_exception(exc or RuntimeError("the server closed the connection"))


async def open_streams(port: int, paths: list[str], heard: Callable[[str], Heard]) -> list[Stream]:
    """Open a stream for each path and return when all of them are answered."""
    loop = asyncio.get_running_loop()
    streams: list[Stream] = []
    for start in range(0, len(paths), 50):
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda path=path: Stream(path, heard(path)), "127.0.0.1", port)  # type: ignore[misc]
                for path in paths[start : start + 50]
            )
        )
        async with asyncio.timeout(60):
            await asyncio.gather(*(stream.opened for _, stream in made))
        streams += [stream for _, stream in made]
    return streams


def close(streams: list[Stream]) -> None:
    """End all streams."""
    for stream in streams:
        if stream.transport is not None:
            stream.transport.abort()


class Poster:
    """Posts JSON over one connection that stays open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: str) -> int:
        """Return the status of the answer."""
        if self._pipes is None:
            self._pipes = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._pipes
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(answer.split(b" ", 2)[1])
