"""Conversations that end on the revision that began them, on real replicas."""

from typing import Any

from botyard.contract.model import ModelConfig
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

CODE = """
from jb_manager_bot import AbstractFSM, FSMOutput, MessageData, Status


class Talk(AbstractFSM):
    states = ["zero", "LISTEN", "answer", "end"]
    transitions = [
        {"source": "zero", "dest": "LISTEN", "trigger": "next"},
        {"source": "LISTEN", "dest": "answer", "trigger": "next"},
        {"source": "answer", "dest": "end", "trigger": "next", "conditions": "done"},
        {"source": "answer", "dest": "LISTEN", "trigger": "next"},
    ]
    conditions = {"done"}

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def done(self):
        return self.variables["said"] == "bye"

    def on_enter_LISTEN(self):
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        said = self.variables["said"] = self.current_input
        ACT
        self.send_message(FSMOutput(message_data=MessageData(body=f"VERSION {said}"), dest="out"))
        self.status = Status.MOVE_FORWARD
"""


def code(version: str, act: str = "pass") -> str:
    listen = "listen" if version == "old" else "hear"
    return CODE.replace("VERSION", version).replace("LISTEN", listen).replace("ACT", act)


async def converse(bot: Bot, name: str, turns: int, text: str) -> str:
    await bot.say(text, name)
    await bot.finished(turns, name)
    return (await bot.texts(name))[-1]


async def old_conversations(make_bot: MakeBot, *names: str, **fields: Any) -> Bot:
    """Return a bot whose older revision has begun these, and ended."""
    bot = make_bot(code=code("old"), revision="r1", **fields)
    (replica,) = await bot.start()
    for name in names:
        await bot.say("begin", name)
        assert await converse(bot, name, 2, "one") == "old one"
    await replica.drain()
    bot.replicas.clear()
    bot.code, bot.files = code("new"), {**bot.files, "former/bot.py": code("old")}
    bot.revision, bot.former = "r2", "r1"
    bot.write()
    return bot


async def test_they_go_on_with_it_until_they_end_and_new_ones_begin_on_the_newest(make_bot: MakeBot) -> None:
    bot = await old_conversations(make_bot, "ada", "bob")
    await bot.start()
    await bot.say("begin", "new")
    assert await converse(bot, "new", 2, "two") == "new two"
    assert await converse(bot, "ada", 3, "two") == "old two"
    assert await converse(bot, "ada", 4, "three") == "old three"
    assert await converse(bot, "ada", 5, "bye") == "old bye"
    await bot.say("begin again", "ada")
    assert await converse(bot, "ada", 7, "hello") == "new hello"
    assert await converse(bot, "bob", 3, "still") == "old still"


async def test_who_begins_anew_begins_on_the_newest(make_bot: MakeBot) -> None:
    bot = await old_conversations(make_bot, "ada")
    await bot.start()
    await bot.say(" Hi ", "ada")
    assert await converse(bot, "ada", 4, "two") == "new two"


async def test_they_are_taken_over_with_their_revision(make_bot: MakeBot) -> None:
    bot = await old_conversations(make_bot, "ada")
    (first,) = await bot.start()
    assert await converse(bot, "ada", 3, "two") == "old two"
    first.kill()
    bot.replicas.clear()
    await bot.start()
    assert await converse(bot, "ada", 4, "three") == "old three"


async def test_code_that_blocks_in_one_revision_leaves_the_other_alone(make_bot: MakeBot) -> None:
    bot = await old_conversations(make_bot, "ada")
    bot.files["former/bot.py"] = code("old", "import os; os._exit(3)")
    bot.write()
    await bot.start()
    await bot.say("two", "ada")
    await bot.say("begin", "new")
    assert await converse(bot, "new", 2, "two") == "new two"
    await bot.finished(3, "ada")
    assert [each["data"]["kind"] for each in await bot.heard("ada") if each["type"] == "chat.error"] == ["DeadLetter"]


async def test_both_revisions_ask_the_bot_s_model(make_bot: MakeBot) -> None:
    model = ModelConfig(provider="scripted", name="toy", script="script.yaml")
    files = {"config/script.yaml": "rules:\n- reply: {text: from the model}\n"}
    bot = await old_conversations(make_bot, "ada", model=model, files=files)
    asking = (
        "from jb_manager_bot.parsers.utils import LLMManager; said = LLMManager.llm([LLMManager.um(said)], model='m')"
    )
    bot.code, bot.files["former/bot.py"] = code("new", asking), code("old", asking)
    bot.write()
    await bot.start()
    assert await converse(bot, "ada", 3, "two") == "old from the model"
    await bot.say("begin", "new")
    assert await converse(bot, "new", 2, "two") == "new from the model"
