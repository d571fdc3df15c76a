"""Steps of a turn: what was asked of others is not asked again when the turn has to run again."""

import textwrap
from pathlib import Path
from typing import Any

from botyard.contract.bot import Limits
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo

SERVICE = """
import botyard, os
from pathlib import Path

def charge(amount, note=""):
    # The outside service: it writes down each call that reaches it.
    with Path({ledger!r}).open("a") as ledger:
        ledger.write(f"{amount} {note} {botyard.idempotence_key()}\\n")
    return {"receipt": amount}

async def charge_async(amount):
    return charge(amount, "async")

def die_once(name):
    # As a machine that loses power would, the first time.
    marker = Path({ledger!r} + "." + name)
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), 9)

"""


class Shop:
    """A bot that takes steps against a service outside."""

    def __init__(self, make_bot: MakeBot, folder: Path, act: str, **fields: Any) -> None:
        self.ledger = folder / "ledger"
        service = SERVICE.replace("{ledger!r}", repr(str(self.ledger)))
        self.bot: Bot = make_bot(code=service + echo(textwrap.dedent(act)), **fields)

    def calls(self) -> list[str]:
        """What reached the service, without the keys."""
        return [line.rsplit(" ", 1)[0].strip() for line in self.ledger.read_text().splitlines()]

    def keys(self) -> list[str]:
        return [line.rsplit(" ", 1)[1] for line in self.ledger.read_text().splitlines()]

    async def errors(self) -> list[dict[str, Any]]:
        return [envelope["data"] for envelope in await self.bot.heard() if envelope["type"] == "chat.error"]


async def run(shop: Shop, *texts: str) -> None:
    await shop.bot.start()
    for text in ("reset", *texts):
        await shop.bot.say(text)
    await shop.bot.finished(1 + len(texts))


async def test_a_worker_killed_between_a_step_and_the_commit_does_not_repeat_the_step(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    shop = Shop(
        make_bot,
        tmp_path,
        """
        receipt = botyard.blocking_step("charge", charge, 12, note=said)
        die_once("after-charge")
        second = botyard.blocking_step("charge", charge, 12, note=said)
        said = f"{receipt['receipt']} {second['receipt']}"
        """,
    )
    await run(shop, "buy")
    # The second step has the same name and arguments as the first and is another step all the same.
    assert shop.calls() == ["12 buy", "12 buy"]
    assert len(set(shop.keys())) == 2
    assert await shop.bot.texts() == ["1: buy"]
    assert "turn.restarted" in [envelope["type"] for envelope in await shop.bot.heard()]


async def test_a_supervisor_killed_between_a_step_and_the_commit_does_not_repeat_the_step(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    shop = Shop(
        make_bot,
        tmp_path,
        """
        import time
        botyard.blocking_step("charge", charge, 12)
        marker = Path({folder!r})
        while not marker.exists():
            time.sleep(0.01)
        """.replace("{folder!r}", repr(str(tmp_path / "go-on"))),
    )
    (first,) = await shop.bot.start()
    await shop.bot.say("reset")
    accepted = await shop.bot.say("buy")
    journal = f"journal:{accepted.event}"

    async def journaled() -> bool:
        return any([key async for key in shop.bot.redis.scan_iter(f"*{journal}")])

    while not await journaled():
        assert first.supervisor.poll() is None
    first.kill()
    (tmp_path / "go-on").touch()
    await shop.bot.start()
    await shop.bot.finished(2)
    assert shop.calls() == ["12"]
    assert await shop.bot.texts() == ["1: buy"]


async def test_asynchronous_code_in_a_state_takes_steps_too(make_bot: MakeBot, tmp_path: Path) -> None:
    shop = Shop(
        make_bot,
        tmp_path,
        """
        import asyncio

        async def both():
            return await asyncio.gather(
                botyard.step("charge", charge_async, 1), botyard.step("charge in a thread", charge, 2)
            )

        asyncio.get_event_loop().run_until_complete(both())
        die_once("after-both")
        """,
    )
    await run(shop, "buy")
    assert sorted(shop.calls()) == ["1 async", "2"]
    assert await shop.bot.texts() == ["1: buy"]


async def test_a_turn_that_asks_otherwise_on_its_second_run_is_told_apart(make_bot: MakeBot, tmp_path: Path) -> None:
    shop = Shop(
        make_bot,
        tmp_path,
        """
        again = Path({folder!r} + ".die").exists()
        try:
            botyard.blocking_step("charge", charge, 12 if not again or said != "otherwise" else 13)
            if not again or said != "fewer":
                botyard.blocking_step("charge", charge, 14)
        except Exception:
            pass  # bundles do this
        die_once("die")
        """.replace("{folder!r}", repr(str(tmp_path / "ledger"))),
    )
    await run(shop, "otherwise")
    (error,) = await shop.errors()
    assert error["kind"] == "JournalMismatch"
    assert "step 0 of this turn was 'charge'" in error["message"]
    (tmp_path / "ledger.die").unlink()
    await shop.bot.say("fewer")
    await shop.bot.finished(3)
    error = (await shop.errors())[-1]
    assert error["kind"] == "JournalMismatch"
    assert "took step 1 ('charge') and this one did not" in error["message"]
    # Nothing of the runs got mixed: no answer was committed, and nothing was charged a second time.
    assert await shop.bot.texts() == []
    assert shop.calls() == ["12", "14", "12", "14"]


async def test_results_beyond_the_bounds_are_an_error_of_their_turn(make_bot: MakeBot, tmp_path: Path) -> None:
    shop = Shop(
        make_bot,
        tmp_path,
        """
        def large():
            return "x" * (5 * 1024 * 1024)

        if said == "large":
            botyard.blocking_step("large", large)
        if said == "strange":
            botyard.blocking_step("strange", object)
        """,
        limits=Limits(turn_timeout_seconds=120),
    )
    await run(shop, "large", "strange", "fine")
    first, second = await shop.errors()
    assert "4194304 are allowed" in first["message"]
    assert (second["kind"], "step 'strange' cannot be expressed as JSON" in second["message"]) == ("TypeError", True)
    assert await shop.bot.texts() == ["1: fine"]
