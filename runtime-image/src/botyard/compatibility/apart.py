"""Takes a census in a process of its own, within a time."""

import asyncio
import contextlib
import json
import sys

from botyard.compatibility import child
from botyard.compatibility.census import Census, Group
from botyard.contract.machine import MachineShape
from botyard.core.address import BotAddress

SECONDS = 120
"""For one census, with everything."""
_MAX_WORDS = 500


class CensusFailed(Exception):
    """There is no result; the message says why."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether trying again may help."""


async def take_census_apart(
    redis_url: str, bot: BotAddress, shape: MachineShape, *, seconds: float = SECONDS
) -> Census:
    """Return which stored sessions of `bot` do not fit `shape`; see `take_census`.

    Args:
        redis_url: Where the bot's states are.
        bot: Whose sessions.
        shape: Of the revision that shall go on with them; may come from anybody.
        seconds: After these the process is killed.

    Raises:
        CensusFailed: Redis does not answer, or sessions cannot be judged by this shape within the time.
    """
    request = child.Request(
        redis_url=redis_url, namespace=bot.namespace, name=bot.name, machine=shape, seconds=max(1, int(seconds))
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        child.__name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, words = await process.communicate(request.to_json().encode())
    except TimeoutError:
        message = f"the stored conversations could not be judged within {seconds:g} s"
        raise CensusFailed(message, passing=True) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode == 0:
        return _read(out)
    told = words.decode("utf-8", "replace")[-_MAX_WORDS:].strip()
    if process.returncode == child.EXIT_UNAVAILABLE:
        raise CensusFailed(f"Redis does not answer: {told}", passing=True)
    if process.returncode == child.EXIT_SHAPE:
        raise CensusFailed(f"its machine cannot be judged by: {told}", passing=False)
    raise CensusFailed(f"judging the stored conversations ended with {process.returncode}: {told}", passing=True)


def _read(text: bytes) -> Census:
    found = json.loads(text)
    groups = [Group(**group) for group in found.pop("groups")]
    return Census(**found, groups=groups)
