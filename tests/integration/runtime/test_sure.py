"""A replica that was stopped beyond its lease pays for nothing of what another one has run meanwhile."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from botyard.budget.reports import Reports, today
from botyard.contract.model import ModelConfig
from tests.integration.models.double import Provider, completion, says
from tests.integration.redis.server import eventually
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import echo

PRICES = {"config/prices.yaml": "models: [{model: gpt, prices: [{input: 1, output: 1}]}]"}


async def test_neither_models_nor_steps_are_asked_after_waking_up(
    make_bot: MakeBot, double: Provider, tmp_path: Path
) -> None:
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    act = f"""
    import botyard, pathlib, time
    from botyard import model
    pathlib.Path({str(gate)!r} + ".begun").touch()
    while not pathlib.Path({str(gate)!r}).exists():
        time.sleep(0.01)

    def act():
        with pathlib.Path({str(ledger)!r}).open("a") as file:
            file.write("acted\\n")

    try:
        botyard.blocking_step("act", act)
    except Exception:
        pass
    self.send_message(text(model.ask_blocking([{{"role": "user", "content": said}}]).text))
    """
    double.next = [says(completion("answer", prompt_tokens=3, completion_tokens=1))]
    bot = make_bot(code=echo(act), model=ModelConfig(name="gpt", endpoint=double.url), files=PRICES)
    (first,) = await bot.start()
    await bot.say("begin")
    await bot.say("hey")
    await first.until((gate.with_name("gate.begun")).exists)
    # Its worker goes on, and asks when nobody is there to answer.
    first.pause()
    gate.touch()
    await bot.start()
    await bot.finished(2, timeout=120)
    assert (len(double.requests), ledger.read_text()) == (1, "acted\n")
    first.resume()
    await first.until(lambda: "another owner" in first.log.read_text() or "new owner" in first.log.read_text())
    await bot.say("more")
    await bot.finished(3)
    assert (len(double.requests), ledger.read_text()) == (2, "acted\nacted\n")
    assert await bot.texts() == ["answer", "1: hey", "answer", "2: more"]


STOPS = """
import os, signal

def stop():
    if not os.path.exists({marker!r}):
        open({marker!r}, "w").close()
        os.kill(os.getpid(), signal.SIGSTOP)

"""
BEFORE_THE_LAST_LOOK = """
import aiohttp
connect = aiohttp.TCPConnector.connect

async def late(self, *args, **kwargs):
    connection = await connect(self, *args, **kwargs)
    stop()
    return connection

aiohttp.TCPConnector.connect = late
"""
AFTER_IT = """
import aiohttp.http_writer
write, writelines = aiohttp.http_writer.StreamWriter._write, aiohttp.http_writer.StreamWriter._writelines

def late(self, data):
    stop()
    write(self, data)

def lately(self, data):
    stop()
    writelines(self, data)

aiohttp.http_writer.StreamWriter._write = late
aiohttp.http_writer.StreamWriter._writelines = lately
"""
COST = 3 + 1


class Stopped:
    """A turn whose first replica stops itself at a place on the way of its model call, until another one has run it."""

    def __init__(self, make_bot: MakeBot, double: Provider, folder: Path, place: str) -> None:
        self.marker = folder / "stopped"
        self.double = double
        double.next = [says(completion("answer", prompt_tokens=3, completion_tokens=1))]
        ask = "from botyard import model; said = model.ask_blocking([{'role': 'user', 'content': said}]).text"
        self.bot = make_bot(code=echo(ask), model=ModelConfig(name="gpt", endpoint=double.url), files=PRICES)
        self.bot.first = STOPS.replace("{marker!r}", repr(str(self.marker))) + place

    async def run(self) -> None:
        """Run the turn to its end, and let the first replica go on."""
        (first,) = await self.bot.start()
        await self.bot.say("reset")
        await self.bot.finished(1)
        await self.bot.say("hey")
        await first.until(self.marker.exists)
        await self.bot.start()
        await self.bot.finished(2, timeout=120)
        first.resume()
        log = first.log
        await first.until(lambda: "another owner" in log.read_text() or "new owner" in log.read_text())
        assert await self.bot.texts() == ["1: hey"]

    async def spent(self) -> tuple[int, int]:
        """What was spent, and what is set aside for calls under way."""
        reports = Reports(self.bot.redis)
        (account,) = await reports.read(self.bot.address, [("bot", today("UTC", await reports.now_ms()).name)])
        return account.spent, account.reserved


async def test_a_replica_that_is_stopped_while_it_connects_sends_nothing_when_it_wakes(
    make_bot: MakeBot, double: Provider, tmp_path: Path
) -> None:
    stopped = Stopped(make_bot, double, tmp_path, BEFORE_THE_LAST_LOOK)
    await stopped.run()
    assert len(double.requests) == 1
    await eventually(stopped_spends(stopped, COST))


async def test_a_replica_that_is_stopped_between_its_last_look_and_its_sending_pays_twice_and_both_are_counted(
    make_bot: MakeBot, double: Provider, tmp_path: Path
) -> None:
    stopped = Stopped(make_bot, double, tmp_path, AFTER_IT)
    await stopped.run()
    # Nobody can take back what is with the kernel already. The provider is told that it is the same call.
    await eventually(lambda: len(double.requests) == 2, timeout=90)
    assert len({headers["idempotency-key"] for headers in double.headers}) == 1
    await eventually(stopped_spends(stopped, 2 * COST), timeout=90)


def stopped_spends(stopped: Stopped, coins: int) -> Callable[[], Awaitable[bool]]:
    async def spends() -> bool:
        return await stopped.spent() == (coins, 0)

    return spends
