"""The process that takes a census for somebody who must not be held up: `python -m botyard.compatibility.child`.

A machine's shape comes from a bundle's code, and judging by a schema can be made to take any time and memory. So
whoever serves others asks this process (`botyard.compatibility.apart`), which may be killed. It reads a `Request` from
its standard input and writes the census as JSON to its standard output.
"""

import asyncio
import contextlib
import json
import resource
import sys
from dataclasses import asdict

from pydantic import Field

from botyard.compatibility.census import Census, take_census
from botyard.contract.base import Document
from botyard.contract.machine import MachineShape
from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable, connect

MEMORY_BYTES = 1024 * 1024 * 1024
EXIT_UNAVAILABLE = 3
EXIT_SHAPE = 4


class Request(Document):
    """One census."""

    redis_url: str = Field(repr=False)
    namespace: str
    name: str
    machine: MachineShape
    seconds: int
    """Time on a processor that it may take."""


def main() -> int:
    """Take the census that standard input asks for; 3: Redis does not answer, 4: the shape cannot be judged by."""
    request = Request.model_validate_json(sys.stdin.buffer.read())
    _limit(resource.RLIMIT_CPU, request.seconds)
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    try:
        census = asyncio.run(_take(request))
    except (*Unavailable, OSError, TimeoutError) as error:
        return _fail(error, EXIT_UNAVAILABLE)
    except Exception as error:  # Whatever a library makes of a schema that is none.
        return _fail(error, EXIT_SHAPE)
    sys.stdout.write(json.dumps(asdict(census)))
    return 0


async def _take(request: Request) -> Census:
    redis = connect(request.redis_url, max_connections=2)
    try:
        return await take_census(redis, BotAddress(request.namespace, request.name), request.machine)
    finally:
        with contextlib.suppress(*Unavailable, OSError):
            await redis.aclose()


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"{type(error).__name__}: {error}"[:500])
    return code


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    sys.exit(main())
