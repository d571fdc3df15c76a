"""Memory without end: one worker is killed in time; where the whole container ends, the event behind it is found."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard.contract.bot import Limits
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, Replica, echo

LIMIT = 400_000_000
"""Bytes."""
HOARD = """
hoard = []
while said == "bad":
    hoard.append(b"x" * 10_000_000)
"""
END_THE_CONTAINER = """
import os, time
if said == "bad":
    os.kill(os.getppid(), 9)
    time.sleep(600)
"""


GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@pytest.fixture
def container() -> Iterator[Path]:
    """A control group with a limit on memory, as a container has one."""
    for parent, limit in GROUPS:
        folder = parent / f"by-{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            if (folder / limit).exists():
                break
            folder.rmdir()
    else:
        pytest.skip("control groups cannot be made here")
    (folder / limit).write_text(str(LIMIT))
    yield folder
    deadline = time.monotonic() + 60
    while folder.exists() and time.monotonic() < deadline:
        # Only once the last process in it is gone.
        with contextlib.suppress(OSError):
            folder.rmdir()
        time.sleep(0.01)


async def states(bot: Bot, conversation: str = "c1") -> list[str]:
    found = await bot.finished(4, conversation, timeout=150)
    return [turn["state"] for turn in found.turns]


async def test_the_worker_that_has_most_is_killed_before_the_container_is(container: Path, make_bot: MakeBot) -> None:
    bot = make_bot(code=echo(HOARD), cgroup=container, limits=Limits(max_attempts=2, turn_timeout_seconds=60))
    (replica,) = await bot.start()
    host = replica.host.pid
    for text in ("reset", "one", "bad", "two"):
        await bot.say(text)
    await bot.say("reset", "other")
    await bot.say("hello", "other")
    assert await states(bot) == ["completed", "completed", "dead", "completed"]
    await bot.finished(2, "other")
    assert await bot.texts() == ["1: one", "2: two"]
    assert await bot.texts("other") == ["1: hello"]
    assert (replica.host.poll(), replica.host.pid) == (None, host)
    assert replica.log.read_text().count("of the 400 MB that their container may have") >= 2


async def test_an_event_that_ends_the_whole_container_becomes_a_dead_letter(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo(END_THE_CONTAINER), limits=Limits(max_attempts=2, turn_timeout_seconds=60))
    (replica,) = await bot.start()
    reviving = asyncio.create_task(revive(replica))
    for text in ("reset", "one", "bad", "two"):
        await bot.say(text)
    assert await states(bot) == ["completed", "completed", "dead", "completed"]
    reviving.cancel()
    assert await bot.texts() == ["1: one", "2: two"]


async def revive(replica: Replica) -> None:
    """Start the container again whenever it ended."""
    while True:
        if replica.host.poll() is not None:
            replica.start_host()
        await asyncio.sleep(0.1)
