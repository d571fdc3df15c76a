"""Bots as their authors write them, unmodified: both dialects, their helpers, plugins and habits.

They lie in `authored/`, import `jb_manager_bot` alone, and are run through a program as a pod runs them, and through
`run_machine` as their own tests do.
"""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from botyard.fsm.program import FsmProgram
from tests.unit.fsm.platform import Session, texts

FOLDER = Path(__file__).parent / "authored"
CREDENTIALS = {
    "AZURE_OPENAI_API_KEY": "k",
    "FAST_MODEL": "m",
    "PAY_URL": "https://pay.test",
    "OPENAI_API_KEY": "k",
    "TOKEN": "secret",
}
LANGUAGE = {"payload": {"message_type": "dialog", "dialog": {"dialog_id": "LANGUAGE_SELECTED", "dialog_input": "hi"}}}


def chosen(identity, title=""):
    return {"options": [{"option_id": identity, "option_text": title}]}


def form(**fields):
    return {"payload": {"message_type": "form_reply", "form_reply": {"form_data": fields}}}


@pytest.fixture(autouse=True)
def _own_modules():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def open_session():
    return lambda name: Session(FsmProgram.load(FOLDER / name, credentials=CREDENTIALS))


def kinds(outcome):
    return [output.data.get("kind", output.type) for output in outcome.outputs]


class TestClinic:
    """The 0.1 dialect: dict variables set before super, a plugin run by hand, dialogs, forms, files, retrieval."""

    @pytest.fixture
    async def session(self, open_session):
        session = open_session("clinic")
        assert kinds(await session.message("hi")) == ["bot.language_change"]
        outcome = await session.message(**LANGUAGE)
        assert texts(outcome) == ["Welcome to the clinic!", "What would you like to do?"]
        assert outcome.outputs[1].data["menu"] == {"button": "Services", "title": "Menu"}
        return session

    async def test_a_visit_is_paid_by_the_plugin_and_booked_by_a_form(self, session):
        assert texts(await session.message(**chosen("1"))) == ["Please pay 100 rupees"]
        assert session.io.references == ["jbkey0f8fad5b-d9cb-469f-a165-7jbkey"]
        assert kinds(await session.message("hello?")) == ["fsm.input_ignored"]
        outcome = await session.callback('{"id": "T1"}')
        assert outcome.outputs[0].data["form"] == {"id": "724", "screen": "FIRST", "token": "tok"}
        outcome = await session.message(**form(name="Ada"))
        assert texts(outcome) == ["Booked for Ada"]
        assert outcome.ended
        assert kinds(await session.message("again")) == ["bot.language_change"]

    async def test_without_payment_it_ends(self, session):
        await session.message(**chosen("1"))
        assert texts(await session.callback("{}")) == ["Payment failed"]

    async def test_a_file_s_bytes_come_in_and_a_file_goes_out(self, session):
        await session.message(**chosen("2"))
        outcome = await session.message(files=[{"name": "r", "url": "data:text/plain;base64,AP8="}])
        (sent,) = outcome.outputs
        assert (sent.data["kind"], sent.data["text"]) == ("document", "Thanks for sharing the file.")
        assert sent.data["media"] == {"name": "report.txt", "mime_type": "text/plain", "size": 2, "content": "AP8="}

    async def test_a_retrieval_s_answer_is_user_input_where_the_bot_waits_for_that(self, session):
        await session.message(**chosen("3"))
        assert kinds(await session.message("what?")) == ["bot.rag_call"]
        outcome = await session.turn("callback", {"chunks": [{"chunk": "A", "metadata": {}}]})
        assert texts(outcome) == ["A"]

    async def test_a_missing_credential_is_the_turn_s_error(self):
        outcome = await Session(FsmProgram.load(FOLDER / "clinic")).message("hi")
        assert (outcome.error.kind, outcome.error.message) == (
            "ValueError",
            "Missing credential: AZURE_OPENAI_API_KEY",
        )
        assert outcome.error.where.startswith("bot.py:")


class TestLibrary:
    """The 0.2 dialect: declared variables, helpers in every state, a plugin by name, asyncio in a state."""

    async def test_from_the_language_to_the_paid_fee(self, open_session):
        session = open_session("library")
        assert kinds(await session.message("hello")) == ["bot.language_change"]
        outcome = await session.message(**LANGUAGE)
        assert texts(outcome) == ["Welcome to the library.", "Which topic?"]
        assert kinds(outcome) == ["text", "list"]
        outcome = await session.message(**chosen("2", "Trees"))
        assert kinds(outcome) == ["image", "document", "audio", "buttons", "list", "form"]
        outcome = await session.message(**form(name="Ada"))
        assert outcome.outputs[0].data["query"] == "Trees"
        outcome = await session.turn("callback", {"chunks": [{"chunk": "Oak", "metadata": {}}, {"chunk": "Elm"}]})
        asked, first = session.io.references
        assert texts(outcome) == ["Oak\nElm", "Please pay the fee.", f"https://pay.test/5/membership/{first}"]
        assert session.state["main"]["variables"]["copies"] == 2
        assert session.state["references"] == [asked, first]
        outcome = await session.callback("{}")
        assert texts(outcome)[:2] == ["That did not work.", "Please pay the fee."]
        outcome = await session.callback('{"receipt": "R1"}')
        assert texts(outcome) == ["Thank you Ada: R1"]
        assert outcome.ended

    def test_run_machine_round_trips_its_state_as_json(self):
        spec = importlib.util.spec_from_file_location("library_bot", FOLDER / "library" / "bot.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sent, state = [], None
        asyncio.set_event_loop(asyncio.new_event_loop())  # as every main thread begins

        def say(**given):
            nonlocal state
            state = json.loads(
                json.dumps(module.LibraryBot.run_machine(sent.append, credentials=CREDENTIALS, state=state, **given))
            )
            return state["main"]["state"], state["main"]["status"]

        assert say(user_input="reset") == ("select_language", 1)
        assert say(user_input="language_selected") == ("topic_input", 1)
        assert say(user_input='[{"option_id": "4", "option_text": "Stars"}]') == ("membership_form", 1)
        assert say(user_input='{"name": "Ada"}') == ("call_rag", 3)
        assert say(callback_input=json.dumps([json.dumps({"chunk": "Vega", "metadata": {}})])) == ("pay", 4)
        assert state["plugins"]["pay_plugin"]["main"]["state"] == "await_callback"
        assert say(callback_input='{"receipt": "R"}') == ("zero", 2)
        assert state["main"]["variables"]["member"] == {}
        assert sent[-1].message.text.body == "Thank you Ada: R"


async def test_tickets_made_of_tasks_in_the_constructor(open_session):
    session = open_session("tickets")
    assert texts(await session.message("hi")) == ["Welcome to the theatre.", "Which seat?"]
    assert texts(await session.message("box")) == ["How many people?"]
    assert texts(await session.message("12")) == [
        "That is a group.",
        "Reserving.",
        "That seat is taken.",
        "Which seat?",
    ]
    await session.message("Stalls")
    outcome = await session.message(**chosen("2", "2"))
    assert texts(outcome) == ["Reserving.", "Reserved Stalls-2, 12 each."]
    assert outcome.ended


def test_a_constructor_s_complaint_is_told_rather_than_that_the_class_declares_nothing(tmp_path):
    (tmp_path / "bot.py").write_text(
        "from jb_manager_bot import AbstractFSM\n"
        "class Bot(AbstractFSM):\n"
        "    def __init__(self, send_message, credentials=None):\n"
        "        raise ValueError('Missing credential: KEY')\n"
    )
    with pytest.raises(ValueError, match="Missing credential: KEY"):
        FsmProgram.load(tmp_path)


class TestHelpdesk:
    """Triggers of its own, `unless`, list conditions with effects, dict variables beside 0.2 messages."""

    @pytest.fixture
    async def session(self, open_session):
        session = open_session("helpdesk")
        assert texts(await session.message("hi")) == ["Question 0?"]
        return session

    async def test_its_own_trigger_hands_over_to_a_callback(self, session):
        assert texts(await session.message("a")) == ["Question 1?"]
        assert session.state["main"]["variables"]["known"] is True
        assert texts(await session.message("b!"))[0] == "Handing over."
        assert texts(await session.callback('{"text": "solved"}')) == ["solved", "Question 2?"]
        assert texts(await session.message("bye")) == ["Bye after a, b!, bye"]

    async def test_it_starts_over(self, session):
        await session.message("a")
        outcome = await session.message("reset it")
        assert kinds(outcome) == ["bot.conversation_reset", "text"]
        assert texts(outcome)[-1] == "Question 0?"

    async def test_a_callback_of_a_session_that_was_reset_does_not_reach_its_successor(self, session):
        await session.message("a")
        await session.message("b!")
        (old,) = session.io.references
        for word in ("hi", "a", "b!"):
            await session.message(word)
        outcome = await session.turn("callback", {"reference": old, "body": '{"text": "late"}'})
        assert [output.data.get("reason") for output in outcome.outputs] == ["FormerSession"]
        new = session.io.references[-1]
        outcome = await session.turn("callback", {"reference": new, "body": '{"text": "in time"}'})
        assert texts(outcome)[0] == "in time"
