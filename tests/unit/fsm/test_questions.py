"""Questions to documents: who answers, and how the answer finds the session that asked."""

import json

import pytest

from botyard.fsm import FSMIntent, FSMOutput, MessageData, RAGQuery
from botyard.fsm.program import FsmProgram
from tests.unit.fsm.bots import bot, step, waits_for_callback, waits_for_user
from tests.unit.fsm.platform import Session, texts


def asks_as_before(self):
    self.send_message(FSMOutput(message_data=MessageData(body="how are brakes mended?"), dest="rag"))
    waits_for_user(self)


def asks(self, collection="shop"):
    query = RAGQuery(query="how are brakes mended?", collection_name=collection, top_chunk_k_value=1)
    self.send_message(FSMOutput(intent=FSMIntent.RAG_CALL, rag_query=query))
    waits_for_callback(self)


def reads(self):
    self._on_enter_display(str(self.current_callback or self.current_input))
    waits_for_user(self)


STEPS = [step("zero", "ask"), step("ask", "read"), step("read", "ask")]


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "knowledge" / "shop"
    folder.mkdir(parents=True)
    (folder / "brakes.md").write_text("# Brakes\n\nBrakes are mended with new pads.")
    return tmp_path


def session(handler, folder):
    return Session(FsmProgram(bot(STEPS, {"ask": handler, "read": reads}), folder))


async def answered(talk, outcome):
    (event,) = outcome.events
    assert (event.kind, event.key, event.due_ms) == ("callback", "", 0)
    return await talk.turn(event.kind, json.loads(json.dumps(event.payload)))


async def test_the_bundle_s_documents_answer_by_an_event_of_the_commit(bundle):
    talk = session(asks, bundle)
    outcome = await talk.message("x")
    assert [output.type for output in outcome.outputs] == ["bot.rag_call"]
    (said,) = texts(await answered(talk, outcome))
    (row,) = [json.loads(each) for each in json.loads(said)]
    assert row["chunk"] == "Brakes are mended with new pads."
    assert row["metadata"]["source"] == "brakes.md"


async def test_the_old_dialect_reads_the_answer_as_input(bundle):
    talk = session(asks_as_before, bundle)
    (said,) = texts(await answered(talk, await talk.message("x")))
    assert json.loads(said)["chunks"][0]["chunk"] == "Brakes are mended with new pads."


async def test_the_new_dialect_never_does(bundle):
    def asks_and_listens(self):
        asks(self)
        waits_for_user(self)

    talk = session(asks_and_listens, bundle)
    outcome = await answered(talk, await talk.message("x"))
    assert [output.data["reason"] for output in outcome.outputs] == ["WrongKind"]
    assert texts(await talk.message("mine")) == ["mine"]


async def test_an_answer_after_a_reset_does_not_reach_the_new_session(bundle):
    talk = session(asks, bundle)
    late = await talk.message("x")
    again = await talk.message("hi")
    outcome = await answered(talk, late)
    assert [output.data["reason"] for output in outcome.outputs] == ["FormerSession"]
    assert len(texts(await answered(talk, again))) == 1


async def test_an_answer_comes_once(bundle):
    talk = session(asks, bundle)
    first = await talk.message("x")
    await answered(talk, first)
    assert [output.type for output in (await answered(talk, first)).outputs] == ["fsm.input_ignored"]


async def test_an_unknown_collection_fails_the_turn_that_asks(bundle):
    outcome = await session(lambda self: asks(self, "law"), bundle).message("x")
    assert outcome.error.kind == "RetrievalError"
    assert "there are: shop" in outcome.error.message
    assert outcome.events == ()


async def test_without_documents_somebody_outside_answers_to_the_reference(tmp_path):
    talk = session(asks, tmp_path)
    outcome = await talk.message("x")
    assert outcome.events == ()
    reference = outcome.outputs[0].data["reference"]
    assert talk.io.references == [reference]
    body = json.dumps({"chunks": [{"chunk": "A", "metadata": {}}]})
    outcome = await talk.turn("callback", {"reference": reference, "body": body})
    assert texts(outcome) == [json.dumps([json.dumps({"chunk": "A", "metadata": {}})])]


async def test_a_session_that_ends_asks_nothing(bundle):
    def asks_and_ends(self):
        asks(self)
        self.on_enter_end()

    outcome = await session(asks_and_ends, bundle).message("x")
    assert outcome.ended
    assert outcome.events == ()
