"""A way to Redis that loses answers: the command arrives and is done, the connection breaks before its answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class LossyProxy:
    """Forwards between clients and one Redis; cuts a connection in place of an answer when told to."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._lose: bytes | None = None
        self.lost = 0

    def lose_answer_of(self, command: bytes) -> None:
        """Lose the answer of the next request that contains `command`."""
        self._lose = command

    async def serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        redis_in, redis_out = await asyncio.open_unix_connection(str(self._target))
        doomed = asyncio.Event()

        async def requests() -> None:
            while data := await client_in.read(65_536):
                if self._lose and self._lose in data:
                    self._lose = None
                    doomed.set()
                redis_out.write(data)
            redis_out.close()

        async def answers() -> None:
            while data := await redis_in.read(65_536):
                if doomed.is_set():
                    self.lost += 1
                    break
                client_out.write(data)
            client_out.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(requests(), answers(), return_exceptions=True)
        for writer in (client_out, redis_out):
            writer.close()


@contextlib.asynccontextmanager
async def lossy(target: Path, folder: Path) -> AsyncIterator[tuple[LossyProxy, str]]:
    """A proxy in front of the Redis at `target`; yields it and its URL."""
    proxy = LossyProxy(target)
    path = folder / "proxy.sock"
    server = await asyncio.start_unix_server(proxy.serve, path=str(path))
    try:
        yield proxy, f"unix://{path}"
    finally:
        server.close()
