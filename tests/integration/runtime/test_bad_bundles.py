"""Bad code harms itself only, and its user is told."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.bot import Limits
from botyard.core.dead_letters import DeadLetters
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo


async def errors(bot: Bot, conversation: str = "c1") -> list[dict[str, Any]]:
    return [envelope["data"] for envelope in await bot.heard(conversation) if envelope["type"] == "chat.error"]


async def test_an_exception_is_told_and_the_session_goes_on(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("assert said != 'bad', 'no such bicycle'"))
    await bot.start()
    for text in ("reset", "one", "bad", "two"):
        await bot.say(text)
    await bot.finished(4)
    assert await bot.texts() == ["1: one", "2: two"]
    assert await errors(bot) == [{"kind": "AssertionError", "message": "no such bicycle"}]


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("ends its process", "import os; os._exit(7) if said == 'bad' else None"),
        ("is killed", "import os; os.kill(os.getpid(), 9) if said == 'bad' else None"),
        ("dies of a segmentation fault", "import ctypes; ctypes.string_at(0) if said == 'bad' else None"),
        (
            "ends and leaves a daemon behind that keeps its output open",
            """
            if said == 'bad':
                import os, subprocess
                subprocess.Popen(['sleep', '60'], start_new_session=True)
                os._exit(7)
            """,
        ),
        ("closes every connection", "import os; os.closerange(3, 256) if said == 'bad' else None"),
        (
            "writes garbage to its connection",
            """
            if said == 'bad':
                import os, time
                for descriptor in range(3, 64):
                    try:
                        os.write(descriptor, b'x' * 64)
                    except OSError:
                        pass
                time.sleep(30)
            """,
        ),
    ],
)
async def test_an_event_that_kills_workers_becomes_a_dead_letter(make_bot: MakeBot, name: str, act: str) -> None:
    bot = make_bot(code=echo(act), limits=Limits(max_attempts=2, turn_timeout_seconds=20))
    await bot.start()
    for text in ("reset", "one", "bad", "two"):
        await bot.say(text)
    await bot.say("reset", "other")
    await bot.say("hello", "other")
    await bot.finished(2, "other", timeout=90)
    conversation = await bot.finished(4, timeout=120)
    assert [turn["state"] for turn in conversation.turns] == ["completed", "completed", "dead", "completed"]
    assert await bot.texts() == ["1: one", "2: two"]
    assert await bot.texts("other") == ["1: hello"]
    (letter,) = await DeadLetters(bot.redis).list(bot.address)
    assert letter.record["error"]["kind"] == "DeadLetter"


async def test_a_turn_past_its_deadline_is_ended_and_told(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("while said == 'bad': pass"), limits=Limits(turn_timeout_seconds=1.5))
    await bot.start()
    for text in ("reset", "one", "bad", "two"):
        await bot.say(text)
    await bot.finished(4, timeout=90)
    assert [error["kind"] for error in await errors(bot)] == ["TurnTimeout"]
    assert await bot.texts() == ["1: one", "2: two"]


async def test_a_flood_of_output_is_cut_and_slows_nobody(make_bot: MakeBot) -> None:
    bot = make_bot(
        code=echo(
            """
            if said == 'bad':
                for _ in range(1000):
                    print('x' * 100_000)
            """
        )
    )
    (replica,) = await bot.start()
    for text in ("reset", "bad", "two"):
        await bot.say(text)
    await bot.finished(3, timeout=90)
    assert await bot.texts() == ["1: bad", "2: two"]
    assert replica.log.stat().st_size < 20_000_000


async def test_forked_processes_change_nothing_and_end_with_their_worker(make_bot: MakeBot) -> None:
    bot = make_bot(
        code=echo(
            """
            if said == 'bad':
                import os, time
                for _ in range(20):
                    if os.fork() == 0:
                        time.sleep(600)
                        os._exit(0)
            """
        )
    )
    (replica,) = await bot.start()
    for text in ("reset", "bad", "two"):
        await bot.say(text)
    await bot.finished(3)
    assert await bot.texts() == ["1: bad", "2: two"]
    groups = [os.getpgid(pid) for pid in replica.workers()]
    assert await replica.drain() == 0
    await asyncio.to_thread(replica.host.wait, 20)
    assert not any(_alive(group) for group in groups)


def _alive(group: int) -> bool:
    """Whether a process of the group runs; one that ended and was not reaped by its new parent does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(") ")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


async def test_sys_exit_is_an_error_of_its_turn(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("import sys; sys.exit(3) if said == 'bad' else None"))
    await bot.start()
    for text in ("reset", "bad", "two"):
        await bot.say(text)
    await bot.finished(3)
    assert [error["kind"] for error in await errors(bot)] == ["SystemExit"]
    assert await bot.texts() == ["1: two"]


async def test_an_output_that_is_too_large_is_an_error_of_its_turn(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("self.send_message(text('x' * 10_000_000)) if said == 'bad' else None"))
    await bot.start()
    for text in ("reset", "bad", "two"):
        await bot.say(text)
    await bot.finished(3)
    assert [error["kind"] for error in await errors(bot)] == ["OutputTooLarge"]
    assert await bot.texts() == ["1: two"]


async def test_memory_without_end_ends_the_worker_only(make_bot: MakeBot) -> None:
    bot = make_bot(
        code=echo(
            """
            if said == 'bad':
                import resource
                resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))
                hoard = [bytearray(100_000_000) for _ in range(100)]
            """
        )
    )
    await bot.start()
    for text in ("reset", "bad", "two"):
        await bot.say(text)
    await bot.finished(3, timeout=90)
    assert await bot.texts() == ["1: two"]


async def test_code_that_lets_no_other_code_of_its_process_run_holds_up_nobody_who_comes_later(
    make_bot: MakeBot,
) -> None:
    # What a regular expression can do, or a library in C: the interpreter's lock is held for a minute.
    bot = make_bot(
        code=echo("import ctypes; ctypes.PyDLL(None).sleep(60) if said == 'hold' else None"),
        limits=Limits(turn_timeout_seconds=120),
    )
    (replica,) = await bot.start()
    await replica.until(lambda: "botyard_workers 2.0" in replica.get("/metrics")[1])
    await bot.say("reset", "bad")
    await bot.finished(1, "bad")
    await bot.say("hold", "bad")
    await replica.until(lambda: "botyard_turns_running 1.0" in replica.get("/metrics")[1])
    # The first ones may have been given to that worker before it was found not to answer.
    answered = 0
    for number in range(50):
        await bot.say("reset", f"good-{number}")
        with contextlib.suppress(TimeoutError):
            await bot.finished(1, f"good-{number}", timeout=2)
            answered += 1
        if answered == 3:
            break
    assert answered == 3
    assert sum(turn["state"] == "open" for turn in (await bot.finished(1, "bad")).turns) == 1
