"""A gateway for commands, and the commands as processes."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.integration.gateway.system import System, running_system

Botyard = Callable[..., Awaitable["Ran"]]


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
async def system(redis_client: Redis, tmp_path: Path) -> AsyncIterator[System]:
    """A gateway with the bots and users of `tests.integration.gateway.system`."""
    async with running_system(redis_client, tmp_path) as running:
        yield running


@pytest.fixture
def botyard(system: System) -> Botyard:
    """Run `botyard` as a user of the gateway."""

    async def run(
        *argv: str, user: str = "keeper", module: str = "botyard.cli.main", env: dict[str, str] | None = None
    ) -> Ran:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *argv,
            env={**os.environ, "BOTYARD_URL": system.url, "BOTYARD_TOKEN": f"token-of-{user}", **(env or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert b"Traceback" not in err, err.decode()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    return run
