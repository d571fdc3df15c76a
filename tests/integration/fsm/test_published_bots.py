"""Bots as their authors write them, on real replicas: what facts of the platform they meet, turn by turn."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.conftest import MakeBot, make_bot  # noqa: F401 - a fixture
from tests.integration.runtime.replica import Bot

PUBLISHED = Path(__file__).parents[2] / "unit" / "fsm" / "authored"
CREDENTIALS = {
    "AZURE_OPENAI_API_KEY": "k",
    "FAST_MODEL": "m",
    "PAY_URL": "https://pay.test",
    "OPENAI_API_KEY": "k",
    "TOKEN": "secret",
}
LANGUAGE = {"payload": {"kind": "dialog", "dialog_id": "LANGUAGE_SELECTED"}}


def code(name: str) -> str:
    return (PUBLISHED / name / "bot.py").read_text()


def chosen(identity: str) -> dict[str, Any]:
    return {"options": [{"option_id": identity, "option_text": ""}]}


class Conversation:
    """Says one thing after the other and tells what came back for each."""

    def __init__(self, bot: Bot, name: str = "c1") -> None:
        self.bot = bot
        self.name = name
        self.turns = 0
        self.seen = 0

    async def say(self, text: str = "", **payload: Any) -> list[str]:
        await self.bot.say(text, self.name, **payload)
        return await self._answer()

    async def callback(self, reference: str, body: str) -> list[str]:
        await self.bot.inbox.accept(
            self.bot.address,
            key=self.name,
            kind="callback",
            payload={"reference": reference, "body": body},
            user="ada",
            event_id=f"callback_{reference}",
        )
        return await self._answer()

    async def _answer(self) -> list[str]:
        self.turns += 1
        await self.bot.finished(self.turns, self.name)
        heard = await self.bot.heard(self.name)
        fresh, self.seen = heard[self.seen :], len(heard)
        return [_short(envelope) for envelope in fresh if envelope["type"] != "chat.complete"]

    async def reference(self) -> str:
        said = await self.bot.texts(self.name)
        return next(text for text in reversed(said) if "jbkey" in text).rpartition("/")[2].removeprefix("agent:")


def _short(envelope: dict[str, Any]) -> str:
    if envelope["type"] == "bot.message":
        return str(envelope["data"]["text"])
    if envelope["type"] == "chat.error":
        return f"{envelope['data']['kind']}: {envelope['data']['message']}"
    return str(envelope["type"])


@pytest.fixture
def report() -> Iterator[str]:
    """Address of a file that a user sends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"\x00blood\xff")

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report"
        server.shutdown()


async def test_the_old_dialect_from_hi_to_the_booked_visit(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=code("clinic"), credentials=CREDENTIALS)
    await bot.start()
    talk = Conversation(bot)
    assert await talk.say("Hi") == ["bot.language_change"]
    assert await talk.say(**LANGUAGE) == ["Welcome to the clinic!", "What would you like to do?"]
    assert await talk.say(**chosen("1")) == ["Please pay 100 rupees"]
    assert await talk.say("hello?") == ["fsm.input_ignored"]
    assert await talk.callback("jbkey0f8fad5b-d9cb-469f-a165-7jbkey", '{"id": "T1"}') == ["Please fill in the form"]
    assert await talk.say(payload={"kind": "form_reply", "form_data": {"name": "Ada"}}) == ["Booked for Ada"]
    assert await talk.say("again") == ["bot.language_change"]


async def test_a_file_of_a_private_address_is_refused_and_the_session_goes_on(
    make_bot: MakeBot,  # noqa: F811
    report: str,
) -> None:
    bot = make_bot(code=code("clinic"), credentials=CREDENTIALS)
    await bot.start()
    talk = Conversation(bot)
    await talk.say("hi")
    await talk.say(**LANGUAGE)
    assert await talk.say(**chosen("2")) == ["Send it"]
    (refused,) = await talk.say(files=[{"name": "report", "url": report}])
    assert refused.startswith("FileError: File 'report' is at 127.0.0.1, which is not a public address")
    shared = await talk.say(files=[{"name": "report", "url": "data:text/plain;base64,AP8="}])
    assert shared == ["Thanks for sharing the file."]
    assert await talk.say("hi") == ["bot.language_change"]


async def test_the_new_dialect_with_its_plugin_and_a_second_replica(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=code("library"), credentials=CREDENTIALS)
    (first,) = await bot.start()
    talk = Conversation(bot)
    await talk.say("hi")
    assert (await talk.say(**LANGUAGE))[-1] == "Which topic?"
    assert (await talk.say(**chosen("2")))[-1] == "Fill in"
    await bot.start()
    first.kill()
    assert await talk.say(payload={"kind": "form_reply", "form_data": {"name": "Ada"}}) == ["bot.rag_call"]


async def test_the_bundle_s_documents_answer_in_a_turn_of_their_own(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=code("library"), credentials=CREDENTIALS)
    books = bot.folder / "bundle" / "knowledge" / "books"
    books.mkdir(parents=True)
    (books / "nature.md").write_text("# Trees\n\nTrees of the north.\n\n# Rivers\n\nRivers of the south.\n")
    await bot.start()
    talk = Conversation(bot)
    await talk.say("hi")
    await talk.say(**LANGUAGE)
    await talk.say(**chosen("2"))
    await bot.say("", talk.name, payload={"kind": "form_reply", "form_data": {"name": "Ada"}})
    conversation = await bot.finished(5, talk.name)
    assert [turn["kind"] for turn in conversation.turns].count("callback") == 1
    said = await bot.texts(talk.name)
    assert said[-3:-1] == ["Trees of the north.", "Please pay the fee."]
    talk.turns, talk.seen = 5, len(await bot.heard(talk.name))
    assert await talk.callback(await talk.reference(), '{"receipt": "R"}') == ["Thank you Ada: R"]


async def test_callbacks_reach_the_session_that_handed_out_their_reference(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=code("helpdesk"))
    await bot.start()
    talk = Conversation(bot)
    for word in ("hi", "a", "b!"):
        await talk.say(word)
    old = await talk.reference()
    for word in ("hi", "a", "b!"):
        await talk.say(word)
    assert await talk.callback(old, '{"text": "late"}') == ["fsm.input_ignored"]
    assert await talk.callback(await talk.reference(), '{"text": "solved"}') == ["solved", "Question 2?"]
    assert await talk.say("bye") == ["Bye after a, b!, bye"]
    assert await talk.say("x") == ["Question 0?"]


async def test_missing_credentials_are_told_in_the_conversation(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=code("library"), credentials={"PAY_URL": "x"})
    await bot.start()
    assert await Conversation(bot).say("hi") == ["ValueError: Missing credential: OPENAI_API_KEY"]
