"""What workflows keep in PostgreSQL: conversations and documents, by words and by meaning."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from botyard.model import ModelCallError
from botyard.workflow.configuration import Config
from botyard.workflow.database import ContextRAGClient, ConvIndex, Database, DatabaseError, KBClient, open_pool
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
from tests.integration.runtime.conftest import MakeBot
from tests.integration.workflow import postgres
from tests.integration.workflow.test_turns import events
from tests.unit.workflow.host import task

WORDS = ("bee", "swarm", "honey", "mite", "queen", "winter")


async def embed(texts: list[str]) -> list[list[float]]:
    """Vectors that say which words are in a text."""
    return [[0.01 + text.lower().count(word) for word in WORDS] for text in texts]


async def no_model(texts: list[str]) -> list[list[float]]:
    raise ModelCallError("the Bot has no model", "no_model")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    # Not below pytest's own folder: a socket's path must be short, and the server runs as a user of its own.
    with tempfile.TemporaryDirectory(prefix="by-pg-") as folder:
        Path(folder).chmod(0o755)
        with postgres.running(Path(folder) / "data") as found:
            yield found


@pytest.fixture
async def pool(address: str) -> AsyncIterator[Any]:
    made = await open_pool({"DATABASE_URL": address})
    yield made
    await made.execute("DROP SCHEMA IF EXISTS botyard_workflow CASCADE")
    await made.close()


@pytest.fixture
def database(pool: Any) -> Database:
    return Database(pool, tenant="t1", project="p1")


async def test_messages_are_found_by_words_and_by_meaning(database: Database) -> None:
    index = ConvIndex(database)
    for text in ("The queen is old", "How do I treat mites?", "Honey, please"):
        [vector] = await embed([text])
        await index.add_message(
            conversation_id="c1", role="user", text=text, turn_id="t", user_id="u1", embedding=vector
        )
    await index.add_message(
        conversation_id="c2", role="assistant", text="Mites fall in winter", user_id="u2", tags=["x"]
    )
    found = await index.search("mites honey", conversation_id="c1")
    assert {each["text"] for each in found} == {"Honey, please", "How do I treat mites?"}
    [vector] = await embed(["a mite"])
    assert (await index.search(embedding=vector))[0]["text"] == "How do I treat mites?"
    assert [found["user_id"] for found in await index.search("mites", user_id="u2")] == ["u2"]
    assert [found["role"] for found in await index.search("mites", roles=["assistant"])] == ["assistant"]
    assert [found["tags"] for found in await index.search("mites", tags=["x"])] == [["x"]]
    assert [found["text"] for found in await index.messages("c1", limit=2)] == [
        "How do I treat mites?",
        "Honey, please",
    ]
    assert await index.search("'; DROP TABLE x --  | & !") == []
    await index.delete_conversation("c1")
    assert await index.messages("c1") == []


async def test_a_turn_that_is_run_again_keeps_nothing_twice(database: Database) -> None:
    index = ConvIndex(database)
    for _ in range(2):
        await index.add_message(conversation_id="c1", role="user", text="once", turn_id="t1")
    client = ContextRAGClient(index, None, embed)
    for text in ("first", "second"):
        await client.save_turn(conversation_id="c2", turn_id="t1", user_text="hello", assistant_text=text)
    assert len(await index.messages("c1")) == 1
    assert [found["text"] for found in await client.recent("c2")] == ["hello", "second"]


async def test_what_one_tenant_keeps_no_other_finds(pool: Any) -> None:
    await ConvIndex(Database(pool, tenant="t1", project="p1")).add_message(
        conversation_id="c", role="user", text="mites"
    )
    assert await ConvIndex(Database(pool, tenant="t1", project="p2")).search("mites") == []


async def test_documents_are_found_by_words_and_by_meaning(database: Database) -> None:
    kb = KBClient(database, embed)
    assert (
        await kb.add_document("swarms", "# Swarms\n\nA swarm has a queen.\n\n## Catching\n\nHold a box.", title="S")
        == 2
    )
    await kb.add_document(
        "mites", "Count the mites in winter.", collection="health", metadata={"page": 3}, uri="http://x"
    )
    found = await kb.search("how to count mites")
    assert (found[0]["document"], found[0]["metadata"], found[0]["uri"]) == ("mites", {"page": 3}, "http://x")
    assert (await kb.search("queen"))[0]["heading"] == "Swarms"
    assert {each["document"] for each in await kb.search("queen", collection="health")} <= {"mites"}
    await kb.add_document("swarms", "Now about honey.", title="S")
    assert [(each["document"], each["passages"]) for each in await kb.documents()] == [("swarms", 1), ("mites", 1)]
    assert (await kb.search("honey"))[0]["text"] == "Now about honey."
    await kb.delete_document("swarms")
    assert [each["document"] for each in await kb.documents()] == ["mites"]


async def test_without_a_model_words_are_enough(database: Database) -> None:
    kb = KBClient(database, no_model)
    await kb.add_document("mites", "Count the mites in winter.")
    assert [each["document"] for each in await kb.search("winter")] == ["mites"]
    client = ContextRAGClient(ConvIndex(database), None, no_model)
    await client.save_turn(conversation_id="c", turn_id="t", user_text="mites?", assistant_text="In winter.")
    assert [each["role"] for each in await client.search("winter")] == ["assistant"]


async def test_replicas_that_begin_at_once_make_the_tables_once(address: str, pool: Any) -> None:
    pools = [await open_pool({"POSTGRES_URL": address}) for _ in range(4)]
    indexes = [ConvIndex(Database(each, tenant="t", project="p")) for each in pools]
    await asyncio.gather(*(index.search("x") for index in indexes))
    for each in pools:
        await each.close()


async def test_an_entrypoint_gives_what_is_on_the_pool(pool: Any) -> None:
    workflow = BaseEntrypoint(Config(), pg_pool=pool, comm_context=task())
    index = await workflow.get_conv_index()
    assert index is not None
    await index.add_message(conversation_id="c", role="user", text="mites")
    assert len(await index.search("mites")) == 1
    assert isinstance(await workflow.get_kb_client(), KBClient)
    assert isinstance(await workflow.get_ctx_client(), ContextRAGClient)


async def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    pool = await open_pool({"DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:9/x"})
    with pytest.raises(DatabaseError, match="cannot be reached") as caught:
        await ConvIndex(Database(pool, tenant="t", project="p")).search("x")
    assert "s3cret" not in str(caught.value)
    await pool.close()


async def test_no_credential_is_no_pool() -> None:
    assert await open_pool({}) is None


async def test_a_server_without_the_extension_says_what_is_missing(pool: Any) -> None:
    class Without:
        def __getattr__(self, name: str) -> Any:
            return getattr(pool, name)

        def acquire(self) -> Any:
            raise asyncpg.exceptions.FeatureNotSupportedError('extension "vector" is not available')

    with pytest.raises(DatabaseError, match="install pgvector"):
        await ConvIndex(Database(Without(), tenant="t", project="p")).search("x")


CODE = """
from botyard.workflow import BaseEntrypoint, agentic_workflow

@agentic_workflow(name="demo.keeper")
class Keeper(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        client = await self.get_ctx_client()
        if client is None:
            return {"final_answer": "no database"}
        found = await client.search(params["text"], roles=["user"])
        await client.save_turn(conversation_id=thread_id, turn_id=state["turn_id"], user_text=params["text"],
                               assistant_text="noted")
        return {"final_answer": "|".join(each["text"] for each in found) or "nothing"}
"""


async def test_a_bot_with_a_credential_has_a_database(make_bot: MakeBot, address: str, pool: Any) -> None:
    bot = make_bot(code=CODE, programming_model="workflow", credentials={"DATABASE_URL": address})
    await bot.start()
    assert (await events(bot, "mites fall"))[-1]["data"]["final_answer"] == "nothing"
    assert (await events(bot, "tell me of mites", "c2"))[-1]["data"]["final_answer"] == "mites fall"


async def test_a_bot_without_one_has_none(make_bot: MakeBot) -> None:
    bot = make_bot(code=CODE, programming_model="workflow")
    await bot.start()
    assert (await events(bot, "mites"))[-1]["data"]["final_answer"] == "no database"


async def test_a_database_that_is_away_mid_turn_is_one_clear_error(make_bot: MakeBot) -> None:
    bot = make_bot(
        code=CODE, programming_model="workflow", credentials={"DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:9/x"}
    )
    await bot.start()
    said = await events(bot, "mites")
    [error] = [each["data"] for each in said if each["type"] == "chat.error"]
    assert error["kind"] == "DatabaseError"
    assert "cannot be reached" in error["message"]
    assert "s3cret" not in bot.replicas[0].log.read_text()
