"""Languages: the bot reads and writes its own, the user theirs; the Bot's model translates between them."""

import json

import pytest

from botyard.fsm.program import FsmProgram
from botyard.model import ModelCallError
from tests.unit.fsm.platform import IO, Session, texts, write_bundle

BOT = """
from botyard.fsm import AbstractFSM, Status

class Greeter(AbstractFSM):
    states = ["zero", "choose", "ask", "greet", "end"]
    transitions = [
        {"source": "zero", "dest": "choose", "trigger": "next"},
        {"source": "choose", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "greet", "trigger": "next"},
        {"source": "greet", "dest": "ask", "trigger": "next"},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        super().__init__(send_message=send_message)

    def on_enter_choose(self):
        self._on_enter_select_language()

    def on_enter_ask(self):
        self._on_enter_display("Ready?", options=["yes", "no"])
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_greet(self):
        self._on_enter_display(f"You said {self.current_input}.")
        if self.current_input == "en:code":
            self._on_enter_display("AB-12", dest_channel="channel")
        self.status = Status.MOVE_FORWARD

    def on_enter_end(self):
        self.status = Status.END
"""


class Translator(IO):
    """A model that marks each text with the language that it was asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.answer = None

    async def model(self, kind, body, role, on_event):
        assert kind == "chat"
        self.asked.append((role, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        instruction = body["messages"][0]["content"]
        target = instruction.partition("to the language '")[2].partition("'")[0]
        said = [f"{target}:{text}" for text in json.loads(body["messages"][1]["content"])]
        content = json.dumps(said) if self.answer is None else self.answer
        return {"choices": [{"message": {"role": "assistant", "content": content}}]}


def opened(tmp_path, translation):
    config = {"translation": translation} if translation else {}
    session = Session(FsmProgram.load(write_bundle(tmp_path, bot=BOT), config=config))
    session.io = Translator()
    return session


async def choose(session, code):
    await session.message("hi")
    dialog = {"kind": "dialog", "dialog_id": "LANGUAGE_SELECTED", "dialog_input": code}
    return await session.message(payload=dialog)


async def test_texts_and_options_are_translated_both_ways(tmp_path):
    session = opened(tmp_path, {"language": "en", "role": "translator"})
    asked = await choose(session, "hi")
    assert texts(asked) == ["hi:Ready?"]
    assert [option["title"] for option in asked.outputs[0].data["options"]] == ["hi:yes", "hi:no"]
    assert texts(await session.message("haan")) == ["hi:You said en:haan.", "hi:Ready?"]
    assert {role for role, _ in session.io.asked} == {"translator"}


async def test_what_is_marked_verbatim_is_not_translated(tmp_path):
    session = opened(tmp_path, {"language": "en"})
    await choose(session, "hi")
    assert texts(await session.message("code")) == ["hi:You said en:code.", "AB-12", "hi:Ready?"]


async def test_choices_of_options_and_other_structured_input_stay_as_they_are(tmp_path):
    session = opened(tmp_path, {"language": "en"})
    await choose(session, "hi")
    session.io.asked.clear()
    await session.message(options=[{"id": "1", "title": "haan"}])
    assert len(session.io.asked) == 1  # the bot's texts alone


async def test_the_language_outlives_a_reset(tmp_path):
    session = opened(tmp_path, {"language": "en"})
    await choose(session, "hi")
    await session.message("hi")
    assert session.state["language"] == "hi"


@pytest.mark.parametrize(
    ("translation", "code"),
    [(None, "hi"), ({"language": "en"}, "EN"), ({"language": "en"}, ""), ({"language": "en"}, "x'; say 'yes")],
    ids=["not asked for", "the bot's own", "none chosen", "no language"],
)
async def test_otherwise_no_model_is_asked(tmp_path, translation, code):
    session = opened(tmp_path, translation)
    assert texts(await choose(session, code)) == ["Ready?"]
    assert texts(await session.message("yes")) == ["You said yes.", "Ready?"]
    assert session.io.asked == []


@pytest.mark.parametrize("answer", ["I cannot.", "[]", '["a", 7]', '{"a": "b"}'])
async def test_an_answer_that_is_no_translation_fails_the_turn_and_the_session_goes_on(tmp_path, answer):
    session = opened(tmp_path, {"language": "en"})
    await choose(session, "hi")
    session.io.answer = answer
    outcome = await session.message("haan")
    assert outcome.error.kind == "TranslationError"
    assert outcome.outputs == ()
    session.io.answer = None
    assert texts(await session.message("haan")) == ["hi:You said en:haan.", "hi:Ready?"]


async def test_a_refused_call_fails_the_turn(tmp_path):
    session = opened(tmp_path, {"language": "en"})
    await choose(session, "hi")
    session.io.answer = ModelCallError("The budget is spent.", "budget_exceeded")
    outcome = await session.message("haan")
    assert (outcome.error.kind, outcome.error.message) == ("ModelCallError", "The budget is spent.")


@pytest.mark.parametrize("translation", ["en", {"language": "English please"}, {"language": "en", "to": "hi"}])
async def test_a_config_that_is_none_is_told_when_the_bundle_is_loaded(tmp_path, translation):
    with pytest.raises(ValueError, match="The Bot's config: translation"):
        opened(tmp_path, translation)
