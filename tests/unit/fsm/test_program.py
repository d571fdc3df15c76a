"""FsmProgram: a bundle's turns, as the supervisor asks for them."""

import asyncio
import contextvars
import json
import threading
from pathlib import Path

import pytest

from botyard.contract.persona import PersonaConfig
from botyard.fsm import AbstractFSM, FSMIntent, FSMOutput, MessageData, RAGQuery, Status, Variables
from botyard.fsm.files import FileRules
from botyard.fsm.inputs import read, starts_anew
from botyard.fsm.program import FsmProgram
from botyard.program import Output, TurnRequest
from tests.unit.fsm.bots import bot, step, waits_for_callback, waits_for_user
from tests.unit.fsm.platform import IO, Session, texts, write_bundle

TALK = """
from jb_manager_bot import AbstractFSM, FSMOutput, MessageData, MessageType, Status


class Talk(AbstractFSM):
    states = ["zero", "ask", "answer", "end"]
    transitions = [
        {"source": "zero", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "answer", "trigger": "next"},
        {"source": "answer", "dest": "end", "trigger": "next"},
    ]
    conditions = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def say(self, text):
        self.send_message(FSMOutput(message_data=MessageData(body=text), type=MessageType.TEXT, dest="out"))

    def on_enter_ask(self):
        self.status = Status.WAIT_FOR_ME
        print("a log line")
        self.say("got " + self.current_input)
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        if self.current_input == "fail":
            self.say("never seen")
            self.break_down()
        self.say("you said " + self.current_input)
        self.status = Status.MOVE_FORWARD

    def break_down(self):
        raise LookupError("no such bicycle")
"""


@pytest.fixture
def talk(tmp_path):
    return Session(FsmProgram.load(write_bundle(tmp_path, bot=TALK)))


def program(transitions, handlers, **members):
    return FsmProgram(bot(transitions, handlers, **members), Path(__file__).parent)


def says(text):
    def handler(self):
        self.send_message(FSMOutput(message_data=MessageData(body=text)))
        waits_for_user(self)

    return handler


class TestTurns:
    async def test_outputs_come_in_order_with_the_outcome(self, talk):
        outcome = await talk.message("hello")
        assert outcome.error is None
        assert outcome.outputs == (
            Output(type="bot.message", step="fsm", status="completed", data={"kind": "text", "text": "got hello"}),
        )
        assert outcome.state["main"] == {"state": "ask", "status": 1, "variables": {}}
        assert not outcome.ended

    async def test_the_end_drops_the_state_and_the_next_message_starts_anew(self, talk):
        await talk.message("hello")
        outcome = await talk.message("bye")
        assert (outcome.state, outcome.ended) == (None, True)
        assert texts(outcome) == ["you said bye"]
        assert texts(await talk.message("again")) == ["got again"]

    async def test_a_persona_speaks_under_its_name(self, talk):
        outcome = await talk.turn("message", {"text": "x"}, PersonaConfig(name="p", display_name="Nora"))
        assert outcome.outputs[0].agent == "Nora"
        outcome = await talk.turn("message", {"text": "x"}, PersonaConfig(name="p"))
        assert outcome.outputs[0].agent is None

    async def test_an_error_names_the_place_in_the_bundle_and_drops_the_outputs(self, talk):
        await talk.message("hello")
        outcome = await talk.message("fail")
        assert outcome.outputs == ()
        assert outcome.error.kind == "LookupError"
        assert outcome.error.message == "no such bicycle"
        line = TALK.splitlines().index('        raise LookupError("no such bicycle")') + 1
        assert outcome.error.where == f"bot.py:{line} in break_down"
        assert texts(await talk.message("better")) == ["you said better"]

    async def test_turns_of_many_sessions_run_at_once(self):
        barrier = threading.Barrier(8, timeout=20)

        def meets(self):
            barrier.wait()
            waits_for_user(self)

        shared = program([step("zero", "a")], {"a": meets})
        outcomes = await asyncio.gather(*(Session(shared).message(str(n)) for n in range(8)))
        assert all(outcome.error is None for outcome in outcomes)

    async def test_context_variables_of_the_caller_reach_the_bot(self):
        variable = contextvars.ContextVar("variable")
        variable.set("from the caller")
        seen = []
        run = program([step("zero", "a")], {"a": lambda self: (seen.append(variable.get()), waits_for_user(self))})
        await Session(run).message("x")
        assert seen == ["from the caller"]

    async def test_credentials_and_config_reach_the_constructor(self):
        class Bot(AbstractFSM):
            states = ["zero", "a"]
            transitions = [step("zero", "a")]

            def __init__(self, send_message, credentials=None, config=None):
                self.credentials, self.config = credentials, config
                super().__init__(send_message=send_message)

            def on_enter_a(self):
                self.variables["seen"] = [self.credentials, self.config]
                self.status = Status.WAIT_FOR_USER_INPUT

        run = FsmProgram(Bot, Path(), {"KEY": "k"}, {"colour": "blue"})
        outcome = await Session(run).message("x")
        assert outcome.state["main"]["variables"]["seen"] == [{"KEY": "k"}, {"colour": "blue"}]


class TestReset:
    @pytest.mark.parametrize("word", ["hi", "HI", "Hi", " hi\n"])
    async def test_hi_begins_a_new_session_with_the_input_reset(self, talk, word):
        await talk.message("hello")
        outcome = await talk.message(word)
        assert [output.type for output in outcome.outputs] == ["bot.conversation_reset", "bot.message"]
        assert texts(outcome) == ["got reset"]
        assert outcome.state["main"]["state"] == "ask"

    async def test_hi_in_a_fresh_session_is_the_input_reset(self, talk):
        outcome = await talk.message("hi")
        assert [output.type for output in outcome.outputs] == ["bot.message"]
        assert texts(outcome) == ["got reset"]

    async def test_hi_with_more_words_is_a_message(self, talk):
        assert texts(await talk.message("hi there")) == ["got hi there"]

    async def test_the_dialog_resets_too(self, talk):
        await talk.message("hello")
        outcome = await talk.message(payload={"kind": "dialog", "dialog_id": "CONVERSATION_RESET"})
        assert texts(outcome) == ["got reset"]

    async def test_a_bot_that_asks_for_a_reset_starts_anew_in_the_same_turn(self):
        def gives_up(self):
            self.send_message(FSMOutput(intent=FSMIntent.CONVERSATION_RESET))
            waits_for_user(self)

        def greets(self):
            self.variables["heard"] = self.current_input
            waits_for_user(self)

        session = Session(program([step("zero", "a"), step("a", "b")], {"a": greets, "b": gives_up}))
        await session.message("start")
        outcome = await session.message("x")
        assert [output.type for output in outcome.outputs] == ["bot.conversation_reset"]
        assert outcome.state["main"] == {"state": "a", "status": 1, "variables": {"heard": "reset"}}

    async def test_a_session_that_does_not_fit_the_revision_can_be_started_anew(self, talk):
        talk.state = {"main": {"state": "gone", "status": 1, "variables": {}}, "plugins": {}}
        outcome = await talk.message("hello")
        assert outcome.error.kind == "SessionStateError"
        assert "'gone'" in outcome.error.message
        assert '"hi"' in outcome.error.message
        assert (await talk.message("hi")).error is None


HEARS = {"a": waits_for_user, "b": lambda self: (self.variables.update(heard=self.current_input), waits_for_user(self))}


class TestWhatTheMachineSees:
    @pytest.fixture
    def session(self):
        return Session(
            program([step("zero", "a"), step("a", "b")], HEARS),
            {"main": {"state": "a", "status": 1, "variables": {}}, "plugins": {}},
        )

    def heard(self, outcome):
        assert outcome.error is None
        return outcome.state["main"]["variables"]["heard"]

    @pytest.mark.parametrize(
        "payload",
        [
            {"options": [{"option_id": "1", "option_text": "A"}]},
            {"payload": {"kind": "interactive_reply", "options": [{"id": "1", "title": "A"}]}},
            {
                "payload": {
                    "message_type": "interactive_reply",
                    "interactive_reply": {"options": [{"option_id": "1", "option_text": "A"}]},
                }
            },
        ],
    )
    async def test_a_choice_is_a_json_list_of_options(self, session, payload):
        assert self.heard(await session.message(**payload)) == '[{"option_id": "1", "option_text": "A"}]'

    @pytest.mark.parametrize(
        "payload",
        [
            {"kind": "form_reply", "form_data": {"a": "b"}},
            {"message_type": "form_reply", "form_reply": {"form_data": {"a": "b"}}},
        ],
    )
    async def test_a_form_is_a_json_object(self, session, payload):
        assert self.heard(await session.message(payload=payload)) == '{"a": "b"}'

    async def test_a_chosen_language_is_a_word(self, session):
        payload = {"message_type": "dialog", "dialog": {"dialog_id": "LANGUAGE_SELECTED", "dialog_input": "de"}}
        assert self.heard(await session.message(payload=payload)) == "language_selected"

    async def test_other_structured_content_is_its_json(self, session):
        assert json.loads(self.heard(await session.message(payload={"x": [1]}))) == {"x": [1]}

    @pytest.mark.parametrize(
        ("payload", "says_"),
        [
            ({"kind": "singing"}, "'singing'"),
            ({"kind": "image", "caption": "no address"}, '"url"'),
            ({"kind": "dialog", "dialog_id": "DANCE"}, "'DANCE'"),
            ({"kind": "form_reply", "form_data": 5}, "form_data"),
            ({"kind": "interactive_reply", "options": 5}, "option_id"),
            ([1], "object"),
        ],
    )
    async def test_unknown_kinds_are_errors_of_the_turn(self, session, payload, says_):
        outcome = await session.message(payload=payload)
        assert outcome.error.kind == "InputError"
        assert says_ in outcome.error.message

    async def test_a_timer_is_no_input(self, session):
        assert "timer" in (await session.turn("timer", {})).error.message


class TestFiles:
    async def serve(self, content):
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", 0)

    async def test_the_first_file_s_bytes_are_the_input(self):
        seen = []

        def sees(self):
            seen.append((self.current_input, self.current_text, self.current_files))
            waits_for_user(self)

        cls = bot([step("zero", "a")], {"a": sees})
        run = FsmProgram(cls, Path(), config={"files": {"allowPrivate": True}})
        async with await self.serve(b"\x89PNG") as server:
            port = server.sockets[0].getsockname()[1]
            url = f"http://localhost:{port}/bike.png"
            outcome = await Session(run).message("my bike", files=[{"name": "bike.png", "url": url}])
        assert outcome.error is None
        content, text, files = seen[0]
        assert (content, text) == (b"\x89PNG", "my bike")
        assert [(f.name, f.mime_type, f.content, f.url) for f in files] == [("bike.png", "image/png", b"\x89PNG", url)]

    @pytest.mark.parametrize(
        "message",
        [
            {"message_type": "image", "image": {"url": "URL", "caption": "my bike"}},
            {"kind": "document", "url": "URL", "name": "bike.pdf", "caption": "my bike"},
        ],
    )
    async def test_pictures_and_documents_of_channels_are_files_too(self, message):
        seen = []

        def sees(self):
            seen.append((self.current_input, self.current_text))
            waits_for_user(self)

        run = FsmProgram(bot([step("zero", "a")], {"a": sees}), Path(), config={"files": {"allowPrivate": True}})
        async with await self.serve(b"\x89PNG") as server:
            url = f"http://localhost:{server.sockets[0].getsockname()[1]}/bike"
            payload = json.loads(json.dumps(message).replace("URL", url))
            assert (await Session(run).message(payload=payload)).error is None
        assert seen == [(b"\x89PNG", "my bike")]

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:1/x", "http://localhost/x", "http://169.254.169.254/latest", "http://[::1]/x"]
    )
    async def test_addresses_that_are_not_public_are_not_fetched(self, url):
        session = Session(program([step("zero", "a")], {"a": waits_for_user}))
        outcome = await session.message(files=[{"name": "x.png", "url": url}])
        assert outcome.error.kind == "FileError"
        assert "files.allowPrivate" in outcome.error.message

    @pytest.mark.parametrize(
        ("url", "content"),
        [("data:text/plain;base64,SGk=", b"Hi"), ("data:,a%20b", b"a b"), ("data:text/plain;base64,?", None)],
    )
    async def test_a_small_file_may_be_its_own_address(self, url, content):
        seen = []

        def sees(self):
            seen.append(self.current_input)
            waits_for_user(self)

        session = Session(program([step("zero", "a")], {"a": sees}))
        outcome = await session.message(files=[{"name": "x", "url": url}])
        if content is None:
            assert outcome.error.kind == "FileError"
        else:
            assert seen == [content]

    async def test_a_large_file_is_refused_by_its_limit(self):
        rules = FileRules.of({"files": {"maxBytes": 10, "allowPrivate": True}})
        assert rules == FileRules(max_bytes=10, allow_private=True)
        run = FsmProgram(
            bot([step("zero", "a")], {"a": waits_for_user}),
            Path(),
            config={"files": {"maxBytes": 10, "allowPrivate": True}},
        )
        async with await self.serve(b"x" * 11) as server:
            port = server.sockets[0].getsockname()[1]
            outcome = await Session(run).message(files=[{"name": "x", "url": f"http://127.0.0.1:{port}/"}])
        assert "more than 10 bytes" in outcome.error.message


class TestCallbacks:
    async def test_a_reference_is_registered_before_the_bot_has_it(self):
        io = IO()
        known = []

        def asks(self):
            reference = self.get_reference_id()
            known.append(reference in io.references)
            waits_for_callback(self)

        session = Session(program([step("zero", "a")], {"a": asks}))
        session.io = io
        outcome = await session.message("x")
        assert known == [True]
        assert outcome.outputs == ()

    async def test_a_reference_that_cannot_be_registered_fails_the_turn(self):
        class Broken(IO):
            async def register_reference(self, reference):
                raise ConnectionError("no store")

        session = Session(
            program([step("zero", "a")], {"a": lambda self: (self.get_reference_id(), waits_for_callback(self))})
        )
        session.io = Broken()
        assert (await session.message("x")).error.message == "no store"

    async def test_its_body_is_the_callback(self):
        def keeps(self):
            self.variables["got"] = self.current_callback
            waits_for_user(self)

        session = Session(program([step("zero", "a"), step("a", "b")], {"a": waits_for_callback, "b": keeps}))
        await session.message("x")
        outcome = await session.callback('{"paid": true}')
        assert outcome.state["main"]["variables"]["got"] == '{"paid": true}'

    async def test_input_of_the_wrong_kind_is_answered_with_an_event(self):
        session = Session(program([step("zero", "a"), step("a", "a")], {"a": waits_for_callback}))
        before = (await session.message("x")).state
        outcome = await session.message("hello?")
        assert outcome.state == before
        assert [output.type for output in outcome.outputs] == ["fsm.input_ignored"]
        data = outcome.outputs[0].data
        assert (data["got"], data["waiting_for"], data["state"]) == ("message", "callback", "a")

    async def test_a_callback_after_the_end_starts_nothing(self, talk):
        outcome = await talk.callback("late")
        assert (outcome.state, outcome.ended, outcome.error) == (None, False, None)
        assert outcome.outputs[0].data["reason"] == "NoSession"


class TestRetrieval:
    CHUNKS = [{"chunk": "Bail is granted.", "metadata": {"page": 1}}]

    async def test_a_call_leaves_as_an_output_and_its_answer_is_a_doubly_encoded_callback(self):
        def asks(self):
            query = RAGQuery(collection_name="laws", query="bail?")
            self.send_message(FSMOutput(intent=FSMIntent.RAG_CALL, rag_query=query))
            waits_for_callback(self)

        def reads(self):
            self.variables["chunks"] = [json.loads(item)["chunk"] for item in json.loads(self.current_callback)]
            waits_for_user(self)

        session = Session(program([step("zero", "a"), step("a", "b")], {"a": asks, "b": reads}))
        outcome = await session.message("x")
        assert outcome.outputs[0].type == "bot.rag_call"
        outcome = await session.turn("callback", {"chunks": self.CHUNKS})
        assert outcome.state["main"]["variables"]["chunks"] == ["Bail is granted."]

    async def test_a_machine_that_waits_for_the_user_gets_it_as_input(self):
        session = Session(program([step("zero", "a"), step("a", "b")], HEARS))
        await session.message("x")
        outcome = await session.turn("callback", {"chunks": self.CHUNKS})
        assert json.loads(outcome.state["main"]["variables"]["heard"]) == {"chunks": self.CHUNKS}


class Typed(Variables):
    count: int = 0


class TestBadBots:
    async def failed(self, handler, **members):
        outcome = await Session(program([step("zero", "a")], {"a": handler}, **members)).message("x")
        assert outcome.state is None
        assert outcome.outputs == ()
        return outcome.error

    @pytest.mark.parametrize(
        ("value", "says_"),
        [
            (object(), "variable 'order' is of type object"),
            ({"deep": [{1, 2}]}, r"variable 'order'['deep'] is of type set"),
            (float("nan"), "nan"),
            ("\ud800", "Unicode"),
            ({(1, 2): 3}, "key of type tuple"),
            (b"bytes", "bytes"),
        ],
    )
    async def test_a_variable_that_is_no_json_is_named(self, value, says_):
        error = await self.failed(lambda self: (self.variables.update(order=value), waits_for_user(self)))
        assert error.kind == "VariableError"
        assert says_ in error.message

    async def test_a_variable_that_contains_itself_is_named(self):
        def handler(self):
            loop = []
            loop.append(loop)
            self.variables["loop"] = loop
            waits_for_user(self)

        error = await self.failed(handler)
        assert error.kind == "VariableError"
        assert "'loop'" in error.message

    async def test_a_value_that_could_not_be_restored_fails_the_turn_that_sets_it(self):
        def handler(self):
            self.variables.count = "many"
            waits_for_user(self)

        error = await self.failed(handler, variable_names=Typed)
        assert error.kind == "VariableError"
        assert "count" in error.message

    async def test_leaving_the_process_ends_the_turn_only(self):
        def leaves(self):
            raise SystemExit(3)

        assert (await self.failed(leaves)).kind == "SystemExit"

    async def test_something_else_than_a_message_is_refused(self):
        error = await self.failed(lambda self: self.send_message("hello"))
        assert error.kind == "OutputError"
        assert "FSMOutput, not str" in error.message

    async def test_a_flood_of_messages_is_stopped(self):
        def floods(self):
            while True:
                self.send_message(FSMOutput(message_data=MessageData(body="x")))

        assert (await self.failed(floods)).kind == "OutputError"

    async def test_a_message_after_the_turn_is_refused(self):
        kept = []
        session = Session(
            program([step("zero", "a")], {"a": lambda self: (kept.append(self.send_message), waits_for_user(self))})
        )
        await session.message("x")
        with pytest.raises(Exception, match="turn is over"):
            kept[0](FSMOutput(message_data=MessageData(body="late")))

    async def test_ten_megabytes_are_only_much(self):
        body = "x" * 10_000_000
        outcome = await Session(program([step("zero", "a")], {"a": says(body)})).message("x")
        assert outcome.outputs[0].data["text"] == body

    async def test_an_error_without_a_frame_of_the_bundle_names_the_bot(self, tmp_path):
        stuck = TALK.replace('"dest": "end", "trigger": "next"}', '"dest": "end", "trigger": "other"}')
        session = Session(FsmProgram.load(write_bundle(tmp_path, bot=stuck)))
        await session.message("x")
        outcome = await session.message("y")
        assert outcome.error.kind == "NoTransitionError"
        assert outcome.error.where == "bot.py:5 in Talk"

    async def test_long_messages_of_errors_are_cut(self):
        def fails(self):
            raise ValueError("x" * 10_000)

        assert len((await self.failed(fails)).message) == 2_000

    async def test_the_caller_s_state_is_never_written_to(self):
        def spoils(self):
            self.variables["list"].append("spoilt")
            waits_for_user(self)

        state = {"main": {"state": "a", "status": 1, "variables": {"list": []}}, "plugins": {}}
        request = TurnRequest(event="e", turn="t", key="k", payload={"text": "x"}, state=state)
        run = program([step("a", "b")], {"a": waits_for_user, "b": spoils})
        outcome = await run.run_turn(request, IO())
        assert outcome.state["main"]["variables"]["list"] == ["spoilt"]
        assert request.state["main"]["variables"]["list"] == []


async def test_a_session_that_cannot_be_restored_begins_anew_where_the_bot_says_so(tmp_path):
    program = FsmProgram.load(write_bundle(tmp_path, bot=TALK))
    saved = {"main": {"state": "gone", "status": 1, "variables": {}}, "plugins": {}}
    request = TurnRequest(event="e", turn="t", key="k", payload={"text": "yes"}, state=saved)
    refused = await program.run_turn(request, IO())
    assert refused.error.kind == "SessionStateError"
    outcome = await program.run_turn(request.model_copy(update={"reset_incompatible": True}), IO())
    assert [output.type for output in outcome.outputs] == ["fsm.session_reset", "bot.message"]
    assert outcome.outputs[0].data["state"] == "gone"
    assert texts(outcome)[-1] == "got reset"
    assert outcome.state["main"]["state"] == "ask"


async def test_a_callback_for_a_session_that_cannot_be_restored_ends_it_where_the_bot_says_so(tmp_path):
    program = FsmProgram.load(write_bundle(tmp_path, bot=TALK))
    saved = {"main": {"state": "gone", "status": 3, "variables": {}}, "plugins": {}}
    payload = {"reference": "r", "body": "paid"}
    request = TurnRequest(
        event="e", turn="t", key="k", kind="callback", payload=payload, state=saved, reset_incompatible=True
    )
    outcome = await program.run_turn(request, IO())
    assert (outcome.ended, outcome.state, outcome.error) == (True, None, None)
    assert [output.type for output in outcome.outputs] == ["fsm.session_reset"]


@pytest.mark.parametrize(
    ("payload", "anew"),
    [
        ({"text": " Hi "}, True),
        ({"text": "hi", "payload": {}, "options": [], "files": []}, True),
        ({"text": "", "payload": {"dialog_id": "CONVERSATION_RESET"}}, True),
        ({"payload": {"message_type": "dialog", "dialog": {"dialog_id": "conversation_reset"}}}, True),
        ({"text": "hi there"}, False),
        ({"text": "hi", "files": [{"url": "data:,x"}]}, False),
        ({"text": "hi", "options": [{"option_id": "1"}]}, False),
        ({"payload": {"dialog_id": "LANGUAGE_SELECTED"}}, False),
        ({"payload": "hi"}, False),
        ({"reference": "jbkey", "body": "hi"}, False),
    ],
)
async def test_what_starts_anew_can_be_told_before_it_is_read(payload, anew):
    assert starts_anew(payload) is anew
    if "reference" not in payload and payload.get("payload") != "hi":
        request = TurnRequest(event="e", turn="t", key="k", payload=payload)
        assert (await read(request, FileRules())).reset is anew
