"""Questions to documents on a real replica: the bundle's and uploaded ones, by words and by meaning."""

import json
from typing import Any

from redis.asyncio import Redis

from botyard.contract.model import ModelConfig, ModelTarget
from botyard.core.knowledge import KnowledgeStore
from tests.integration.runtime.conftest import MakeBot, make_bot  # noqa: F401 - a fixture
from tests.integration.runtime.replica import Bot

CODE = """
import json

from jb_manager_bot import AbstractFSM
from jb_manager_bot.data_models import FSMIntent, FSMOutput, Message, MessageType, RAGQuery, Status, TextMessage


class Adviser(AbstractFSM):
    states = ["zero", "listen", "ask", "answer"]
    transitions = [
        {"source": "zero", "dest": "listen", "trigger": "next"},
        {"source": "listen", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "answer", "trigger": "next"},
        {"source": "answer", "dest": "listen", "trigger": "next"},
    ]

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def on_enter_listen(self):
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_ask(self):
        self.status = Status.WAIT_FOR_ME
        collection, _, question = self.current_input.partition(": ")
        hybrid = collection.endswith("+")
        query = RAGQuery(
            type="retriever",
            collection_name=collection.rstrip("+"),
            query=question,
            top_chunk_k_value=1,
            do_hybrid_search=hybrid,
        )
        self.send_message(FSMOutput(intent=FSMIntent.RAG_CALL, rag_query=query))
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        found = [json.loads(each)["chunk"] for each in json.loads(self.current_callback)]
        body = found[0] if found else "nothing"
        message = Message(message_type=MessageType.TEXT, text=TextMessage(body=body))
        self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))
        self.status = Status.MOVE_FORWARD
"""
RULES = "rules:\n- reply: {text: ok}\n"
MODEL = ModelConfig(
    provider="scripted",
    name="toy",
    script="script.yaml",
    roles={"embedder": ModelTarget(provider="scripted", name="toy-embeddings", script="script.yaml")},
)
FILES = {"config/script.yaml": RULES, "bundle/knowledge/law/fines.md": "Parking on the pavement costs fifty euros."}


class Asking:
    """One conversation that asks."""

    def __init__(self, bot: Bot, name: str) -> None:
        self.bot, self.name, self.turns = bot, name, 0

    async def begin(self) -> "Asking":
        await self.bot.say("hi", self.name)
        self.turns += 1
        await self.bot.finished(self.turns, self.name)
        return self

    async def ask(self, question: str) -> str:
        await self.bot.say(question, self.name)
        self.turns += 2  # The question, and the answer's own turn.
        await self.bot.finished(self.turns, self.name)
        return (await self.bot.texts(self.name))[-1]


async def test_uploaded_documents_answer_beside_the_bundle_s_and_changes_reach_a_running_replica(
    make_bot: MakeBot,  # noqa: F811
    redis_client: Redis,
) -> None:
    bot = make_bot(code=CODE, files=FILES)
    library = KnowledgeStore(redis_client)
    await library.put(bot.address, "law", "dogs.md", "Dogs are kept on a lead.")
    await bot.start()
    talk = await Asking(bot, "c1").begin()
    assert await talk.ask("law: parking") == "Parking on the pavement costs fifty euros."
    assert await talk.ask("law: a dog") == "Dogs are kept on a lead."
    await library.put(bot.address, "law", "dogs.md", "Dogs may run free.")
    assert await talk.ask("law: a dog") == "Dogs may run free."
    await library.delete(bot.address, "law", "dogs.md")
    assert await talk.ask("law: a dog") == "nothing"


async def test_meaning_is_ranked_by_the_bot_s_model_and_embedded_once_for_all_replicas(
    make_bot: MakeBot,  # noqa: F811
    redis_client: Redis,
) -> None:
    config: dict[str, Any] = {"retrieval": {"embeddings": {"role": "embedder"}}}
    bot = make_bot(code=CODE, files=FILES, model=MODEL, config=config)
    library = KnowledgeStore(redis_client)
    for number in range(150):
        await library.put(bot.address, "prices", f"{number:03}.txt", f"Item{number} costs {number} euros in the shop.")
    await bot.start()
    talk = await Asking(bot, "c1").begin()
    assert await talk.ask("prices: item7 costs euros") == "Item7 costs 7 euros in the shop."
    assert await talk.ask("prices+: item8 costs euros") == "Item8 costs 8 euros in the shop."
    assert await _kept(redis_client) == 150
    await bot.start()
    for number in range(4):
        other = await Asking(bot, f"d{number}").begin()
        assert await other.ask("prices: item9 euros") == "Item9 costs 9 euros in the shop."
    assert await _kept(redis_client) == 150


async def test_a_model_that_cannot_embed_fails_the_answer_s_turn_and_the_session_goes_on(
    make_bot: MakeBot,  # noqa: F811
) -> None:
    config: dict[str, Any] = {"retrieval": {"embeddings": {"role": "nobody"}}}
    bot = make_bot(code=CODE, files=FILES, model=MODEL, config=config)
    await bot.start()
    talk = await Asking(bot, "c1").begin()
    await bot.say("law: parking")
    await bot.finished(3)
    (error,) = [each["data"] for each in await bot.heard() if each["type"] == "chat.error"]
    assert "nobody" in json.dumps(error)
    await bot.say("hi")
    assert (await bot.finished(4)).turns[-1]["state"] == "completed"
    assert talk.name == "c1"


async def _kept(redis: Redis) -> int:
    (key,) = [name async for name in redis.scan_iter(match="*:vectors:*")]
    return int(await redis.hlen(key))
