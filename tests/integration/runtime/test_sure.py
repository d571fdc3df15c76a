"""A replica that was stopped beyond its lease pays for nothing of what another one has run meanwhile."""

from pathlib import Path

from botyard.contract.model import ModelConfig
from tests.integration.models.double import Provider, completion, says
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
