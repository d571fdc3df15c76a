"""Messages become turns: in order for each conversation, side by side over conversations, each exactly once."""

import asyncio
import json
from pathlib import Path

import pytest

from botyard.contract.bot import Limits
from botyard.contract.persona import PersonaConfig
from botyard.core.control import Cancellations
from botyard.core.forks import Forks, NotForkable
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import echo


async def test_a_conversation_is_answered_in_order_with_its_state(make_bot: MakeBot) -> None:
    bot = make_bot()
    await bot.start()
    await bot.say("reset")
    for number in range(20):
        await bot.say(f"m{number}")
    await bot.finished(21)
    assert await bot.texts() == [f"{number + 1}: m{number}" for number in range(20)]


async def test_every_turn_ends_with_a_committed_mark_and_says_where_it_belongs(make_bot: MakeBot) -> None:
    bot = make_bot()
    await bot.start()
    first = await bot.say("reset")
    second = await bot.say("hello")
    await bot.finished(2)
    heard = await bot.heard()
    ends = [envelope for envelope in heard if envelope["type"] == "chat.complete"]
    assert [end["conversation"]["turn_id"] for end in ends] == [first.turn, second.turn]
    assert all(end["data"]["committed"] for end in ends)
    (message,) = [envelope for envelope in heard if envelope["type"] == "bot.message"]
    assert message["service"] == {"request_id": second.event, "tenant": "shop", "project": "echo", "user": "ada"}
    assert message["conversation"]["conversation_id"] == "c1"


@pytest.mark.parametrize("blocks", ["time.sleep(600)", "pass"], ids=["sleeps", "computes for ever"])
async def test_blocking_code_holds_up_nobody_else(make_bot: MakeBot, blocks: str) -> None:
    bot = make_bot(code=echo(f"import time\nwhile said == 'block':\n    {blocks}"))
    await bot.start()
    await bot.say("reset", "slow")
    await bot.say("block", "slow")
    await bot.say("reset", "quick")
    await bot.say("hello", "quick")
    await bot.finished(2, "quick")
    slow = await bot.finished(1, "slow")
    assert [turn["state"] for turn in slow.turns] == ["completed", "open"]


async def test_a_persona_speaks_under_its_name_and_an_edit_is_in_force_at_once(make_bot: MakeBot) -> None:
    bot = make_bot(personas=(PersonaConfig(name="nora", display_name="Nora"),))
    (replica,) = await bot.start()
    await bot.say("reset", persona="nora")
    await bot.say("hello", persona="nora")
    await bot.finished(2)
    agents = [envelope["event"]["agent"] for envelope in await bot.heard() if envelope["type"] == "bot.message"]
    assert agents == ["Nora"]
    bot.personas = (PersonaConfig(name="nora", display_name="Eleonora"),)
    bot.write()
    await replica.until(lambda: "configuration reloaded" in replica.log.read_text())
    await bot.say("hello", persona="nora")
    await bot.finished(3)
    agents = [envelope["event"]["agent"] for envelope in await bot.heard() if envelope["type"] == "bot.message"]
    assert agents == ["Nora", "Eleonora"]


async def test_what_a_bot_prints_is_a_log_line_with_its_turn(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("print('considering', said)"))
    (replica,) = await bot.start()
    await bot.say("reset")
    accepted = await bot.say("hello")
    await bot.finished(2)
    await replica.until(lambda: "considering hello" in replica.log.read_text())
    lines = [json.loads(line) for line in replica.log.read_text().splitlines() if "considering hello" in line]
    assert [(line["turn"], line["conversation"]) for line in lines] == [(accepted.turn, "c1")]


async def test_credentials_reach_the_bundle_and_nothing_of_the_platform_reaches_the_worker(make_bot: MakeBot) -> None:
    bot = make_bot(
        credentials={"PAYMENT_KEY": "s3cret-of-the-bundle"},
        code=echo("said = None; self.variables['key'] = self.credentials['PAYMENT_KEY']"),
    )
    (replica,) = await bot.start()
    await bot.say("reset")
    await bot.say("hello")
    conversation = await bot.finished(2)
    assert conversation.turns[-1]["state"] == "completed"
    secret = bot.redis_url.encode()
    for pid in replica.workers():
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"BOTYARD" not in environment
        assert secret not in environment
        assert secret not in _memory(pid)
        assert not any("redis" in target for target in _open_files(pid))


def _memory(pid: int) -> bytes:
    """All readable and writable memory of a process."""
    found = bytearray()
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            memory.seek(start)
            try:
                found += memory.read(end - start)
            except OSError:
                continue
    return bytes(found)


def _open_files(pid: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


async def test_two_replicas_share_the_partitions_and_a_drained_one_hands_over_without_a_gap(make_bot: MakeBot) -> None:
    bot = make_bot(limits=Limits(concurrency=8))
    first, second = await bot.start(2)
    conversations = [f"c{number}" for number in range(40)]
    for conversation in conversations:
        await bot.say("reset", conversation)

    async def talk(conversation: str) -> None:
        for number in range(5):
            await bot.say(f"m{number}", conversation)
            await bot.finished(number + 2, conversation)

    talking = asyncio.gather(*(talk(conversation) for conversation in conversations))
    await bot.finished(2, "c0")
    assert await first.drain() == 0
    await talking
    for conversation in conversations:
        assert await bot.texts(conversation) == [f"{number + 1}: m{number}" for number in range(5)]
    assert second.get("/readyz")[0] == 200


async def test_a_killed_replica_is_replaced_within_the_lease(make_bot: MakeBot) -> None:
    bot = make_bot()
    first, _ = await bot.start(2)
    for number in range(16):
        await bot.say("reset", f"c{number}")
        await bot.finished(1, f"c{number}")
    first.kill()
    for number in range(16):
        await bot.say("hello", f"c{number}")
    for number in range(16):
        await bot.finished(2, f"c{number}")


async def test_a_replica_that_was_paused_beyond_its_lease_commits_nothing(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("import time; time.sleep(1.0)"))
    (first,) = await bot.start()
    await bot.say("reset")
    await bot.finished(1)
    await bot.say("hello")
    await first.until(lambda: "botyard_turns_running 1.0" in first.get("/metrics")[1])
    first.pause()
    await bot.start()
    await bot.finished(2, timeout=90)
    first.resume()
    await first.until(lambda: "lost shop/echo" in first.log.read_text() or "new owner" in first.log.read_text())
    await bot.say("again")
    await bot.finished(3)
    assert await bot.texts() == ["1: hello", "2: again"]


async def test_a_cancelled_turn_ends_and_those_behind_it_run(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo("import time; time.sleep(60 if said == 'long' else 0)"))
    (replica,) = await bot.start()
    cancellations = Cancellations(bot.redis)
    await bot.say("reset")
    await bot.finished(1)
    running, waiting = await bot.say("long"), await bot.say("never")
    await bot.say("after")
    await replica.until(lambda: "botyard_turns_running 1.0" in replica.get("/metrics")[1])
    assert await cancellations.request(bot.address, "c1", waiting.turn)
    assert await cancellations.request(bot.address, "c1", running.turn)
    conversation = await bot.finished(4, timeout=90)
    kinds = [turn.get("error", {}).get("kind") for turn in conversation.turns]
    assert kinds == [None, "TurnCancelled", "TurnCancelled", None]
    assert await bot.texts() == ["1: after"]
    assert not await cancellations.request(bot.address, "c1", running.turn)


async def test_a_fork_goes_on_from_an_earlier_turn_and_leaves_the_first_conversation_alone(make_bot: MakeBot) -> None:
    bot = make_bot()
    await bot.start()
    await bot.say("reset")
    turns = [(await bot.say(text)).turn for text in ("one", "two", "three")]
    await bot.finished(4)
    forks = Forks(bot.redis)
    assert (await forks.turns(bot.address, "c1"))[-3:] == tuple(turns)

    fork = await forks.fork(bot.address, "c1", after=turns[1], user="ada")
    assert await bot.texts(fork) == ["1: one", "2: two"]
    await bot.say("another way", fork)
    await bot.finished(1, fork)
    assert await bot.texts(fork) == ["1: one", "2: two", "3: another way"]
    assert await bot.texts() == ["1: one", "2: two", "3: three"]
    assert {said["conversation"]["conversation_id"] for said in await bot.heard(fork)} == {fork}
    with pytest.raises(NotForkable) as caught:
        await forks.fork(bot.address, "c1", after="turn_unknown")
    assert turns[0] in caught.value.turns
