"""Whole bots as strangers write them, in both dialects: packages of several files, with what the kit offers them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from tests.integration.mongo.mongo import running
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

STRANGERS = Path(__file__).parent / "strangers"
SCRIPT = """
rules:
- when: {last_role: tool}
  reply: {text: "It says: {last}"}
- when: {contains: several}
  reply:
    tool_calls:
    - {name: catch_fish, arguments: {pond: north, count: null, size: large}}
    - {name: show, arguments: {}}
    - {name: mongo_store, arguments: {op: save, args: {path: log.md, content: "a heron was here"}}}
    - {name: mongo_store, arguments: {op: cat, args: {path: log.md}}}
    - {name: report, arguments: {text: calm}}
- when: {contains: stalk, system_contains: "patient bird"}
  reply: {tool_calls: [{name: stalk, arguments: {n: 2}}]}
- when: {contains: "Say STALKED"}
  reply: {text: "STALKED it"}
- when: {contains: release}
  reply: {tool_calls: [{name: release, arguments: {}}]}
- when: {contains: count}
  reply:
    tool_calls:
    - {name: count_otters, arguments: {where: here}}
    - {name: slack, arguments: {op: help}}
    - {name: flexus_fetch_skill, arguments: {name: herding}}
- reply: {text: "ok"}
"""


def files_of(bot: str) -> dict[str, str]:
    """The files of a bot with what it shares with others, as a bundle has them."""
    paths = [path for path in STRANGERS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    others = {"heron", "otter"} - {bot}
    inside = {str(path.relative_to(STRANGERS)): path.read_text() for path in paths}
    return {f"bundle/{name}": text for name, text in inside.items() if not others & set(Path(name).parts)}


def stranger(make_bot: MakeBot, name: str, persona: PersonaConfig) -> Bot:
    return make_bot(
        code="",
        programming_model="loop",
        personas=(persona,),
        model=ModelConfig(provider="scripted", name="toy", script="script.yaml"),
        files=files_of(name) | {"config/script.yaml": SCRIPT},
    )


async def results(bot: Bot, thread: str) -> list[Any]:
    """What the tools of a thread answered, once its first turn is over."""
    await bot.finished(1, thread)
    told = [envelope["data"] for envelope in await bot.heard(thread) if envelope["type"] == "thread.message"]
    return [message["content"] for message in told if message["role"] == "tool"]


async def logged(bot: Bot, *texts: str) -> None:
    log = bot.replicas[0].log
    async with asyncio.timeout(90):
        while not all(text in log.read_text() for text in texts):
            await asyncio.sleep(0.05)


async def act(bot: Bot, persona: str, **payload: Any) -> None:
    await bot.inbox.accept(bot.address, key=f":{persona}", kind="action", payload=payload)


async def test_a_bot_of_the_document_s_time(make_bot: MakeBot, tmp_path: Path) -> None:
    with running(tmp_path / "mongo") as address:
        bot = stranger(make_bot, "heron", PersonaConfig(name="hans", setup={"max_fish": "5"}, mongo_uri=address))
        await bot.start()
        for number, text in enumerate(("several things", "stalk", "release all")):
            await bot.say(text, f"hans~t{number}")
        caught, shown, saved, read, reported = await results(bot, "hans~t0")
        assert caught == "Caught 1 large in north, have 1"
        assert [part["m_type"] for part in shown] == ["text", "image/png"]
        assert (saved, read) == ("log.md is saved.", "a heron was here")
        assert reported == "written, 1 documents"
        # Subchats with a kernel that is not content with the first answer.
        async with asyncio.timeout(90):
            while not (stalked := await results(bot, "hans~t1")):
                await asyncio.sleep(0.05)
        assert stalked[0].count("STALKED it") == 2
        assert await results(bot, "hans~t2") == []
        waits = [said["data"] for said in await bot.heard("hans~t2") if said["type"] == "thread.confirmation"]
        assert waits[0]["tool"] == "release"
        # Threads run side by side: nobody knows how many are caught by then.
        assert waits[0]["explanation"].startswith("This releases")
        row = {"ws_id": "shop", "contact_id": "c1", "contact_first_name": "Anna"}
        await act(bot, "hans", action="erp.changed", table="crm_contact", change="INSERT", new=row, old=None)
        await logged(bot, "CONTACT Anna None", "TASK inbox Greet Anna", "THREAD t0 assistant=-1", "MSG t0:100:001 user")
        assert "Traceback" not in bot.replicas[0].log.read_text()


async def test_a_bot_of_the_later_kit(make_bot: MakeBot) -> None:
    bot = stranger(make_bot, "otter", PersonaConfig(name="olga", setup={"team": "A"}))
    await bot.start()
    await bot.say("count them", "olga~t1", user="ada")
    counted, slack, skill = await results(bot, "olga~t1")
    assert counted == "4 otters for ada, doc {'count': 4}"
    assert "not connected" in slack
    assert skill == "Herd slowly."
    await act(bot, "olga", action="task.create", id="t1", ktask_title="Herd", ktask_details={"a": 1})
    await act(bot, "olga", action="task.move", id="t1", column="todo")
    row = {"ws_id": "shop", "party_id": "p1"}
    await act(bot, "olga", action="erp.changed", table="party", change="DELETE", new=None, old=row)
    await logged(
        bot,
        "OTTER begins in shop with",
        "TASK INSERT None -> inbox {'a': 1}",
        "TASK UPDATE inbox -> todo {'a': 1}",
        "PARTY DELETE old=p1 new=None",
    )
    assert "Traceback" not in bot.replicas[0].log.read_text()


@pytest.mark.parametrize("name", ["heron", "otter"])
def test_each_is_found_by_its_module_in_the_repository_that_they_share(name: str) -> None:
    from botyard.loop.loading import entry_modules

    assert f"hobby_bots.{name}.{name}_bot" in entry_modules(STRANGERS)
