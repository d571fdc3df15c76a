"""Bots of both dialects, turn by turn: the state that is saved, what is sent, and what the next turn makes of it.

The expectations are what the published library does with the same bots, where the documents promise nothing else.
"""

import copy
import datetime as dt
import enum
import json
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from jb_manager_bot import AbstractFSM, FSMOutput, MessageData, MessageType, Status, Variables
from jb_manager_bot.data_models import FSMIntent, Message, TextMessage


def drive(cls, *turns, credentials=None):
    """Run turns as a host does, whose copy of the state is JSON; return state, status and texts of each."""
    state: Any = None
    log = []
    for kind, value in turns:
        sent = []
        given = {"user_input" if kind == "user" else "callback_input": value}
        before = copy.deepcopy(state)
        after = cls.run_machine(sent.append, **given, credentials=credentials or {}, state=state)
        assert state == before, "the host's copy is never written to"
        state = json.loads(json.dumps(after))
        main = state["main"]
        log.append((main["state"], Status(main["status"]).name, [output.message_data.body for output in sent]))
    return state, log


def user(text):
    return "user", text


def callback(text):
    return "callback", text


def say(text):
    message = Message(message_type=MessageType.TEXT, text=TextMessage(body=text))
    return FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message)


def waits(self):
    self.status = Status.WAIT_FOR_ME
    self.status = Status.WAIT_FOR_USER_INPUT


def waits_for_callback(self):
    self.status = Status.WAIT_FOR_ME
    self.status = Status.WAIT_FOR_CALLBACK


def moves(self):
    self.status = Status.WAIT_FOR_ME
    self.status = Status.MOVE_FORWARD


class Colour(enum.Enum):
    RED = "red"


class Part(BaseModel):
    number: int = 1
    name: str | None = None


class Values(Variables):
    count: int | None = None
    when: dt.datetime | None = None
    colour: Colour | None = None
    part: Part | None = None
    parts: list[Part] = Field(default_factory=list)
    table: dict[str, Any] = {}
    anything: Any = None


def machine(states, ways, *, plugins=None, declared=Values, **members):
    """Return a bot; `ways` are (source, dest[, condition])."""
    holder: dict[str, Any] = {}

    def init(self, send_message, credentials=None):
        self.credentials = credentials or {}
        if plugins:
            self.plugins = {name: made(send_message, credentials) for name, made in plugins.items()}
        super(holder["cls"], self).__init__(send_message=send_message)

    transitions = [
        {"source": a, "dest": b, "trigger": "next", **({"conditions": condition[0]} if condition else {})}
        for a, b, *condition in ways
    ]
    used = {condition[0] for _, _, *condition in ways if condition}
    body = {"states": states, "transitions": transitions, "conditions": used, "__init__": init}
    body |= {"output_variables": members.pop("outputs", set())}
    if declared is not None:
        body["variable_names"] = declared
    body |= {f"on_enter_{name}" if name in states else name: value for name, value in members.items()}
    holder["cls"] = type("Bot", (AbstractFSM,), body)
    return holder["cls"]


class TestDeclaredVariables:
    def test_values_of_every_kind_come_back_as_what_they_were(self):
        def fill(self):
            self.status = Status.WAIT_FOR_ME
            self.variables.count = 3
            self.variables.when = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
            self.variables.colour = Colour.RED
            self.variables.part = Part(number=5)
            self.variables.parts.append(Part(name="x"))
            self.variables.table["k"] = [1, {"z": 2}]
            self.status = Status.WAIT_FOR_USER_INPUT

        def tell(self):
            self.status = Status.WAIT_FOR_ME
            v = self.variables
            self.send_message(
                say(f"{v.count} {v.when.year} {v.colour.name} {v.part.number} {v.parts[0].name} {v.table}")
            )
            self.status = Status.WAIT_FOR_USER_INPUT

        bot = machine(
            ["zero", "fill", "tell"], [("zero", "fill"), ("fill", "tell"), ("tell", "tell")], fill=fill, tell=tell
        )
        state, log = drive(bot, user("reset"), user("x"))
        assert log[-1] == ("tell", "WAIT_FOR_USER_INPUT", ["3 2026 RED 5 x {'k': [1, {'z': 2}]}"])
        assert state["main"]["variables"]["colour"] == "red"

    def test_sessions_share_no_defaults(self):
        def fill(self):
            self.variables.table["k"] = 1
            self.variables.parts.append(Part())
            self.status = Status.WAIT_FOR_USER_INPUT

        bot = machine(["zero", "fill"], [("zero", "fill"), ("fill", "fill")], fill=fill)
        first, _ = drive(bot, user("x"))
        second, _ = drive(bot, user("x"))
        assert first == second
        assert len(second["main"]["variables"]["parts"]) == 1

    def test_validators_of_the_author_see_what_is_restored(self):
        class Positive(Variables):
            n: int = 0

            @field_validator("n")
            @classmethod
            def not_negative(cls, value):
                if value < 0:
                    raise ValueError("negative")
                return value

        bot = machine(["zero", "wait"], [("zero", "wait"), ("wait", "wait")], declared=Positive, wait=waits)
        saved = {"main": {"state": "wait", "status": 1, "variables": {"n": -1}}, "plugins": {}}
        with pytest.raises(ValueError, match="negative"):
            bot.run_machine(lambda output: None, "x", None, {}, saved)


class TestPlugins:
    def test_three_levels_hand_input_down_and_results_up(self):
        def keep(self):
            self.status = Status.WAIT_FOR_ME
            self.variables.anything = [self.variables.anything, self.current_input, self.current_callback]
            self.status = Status.MOVE_FORWARD

        inner = machine(
            ["zero", "wait", "call", "keep", "end"],
            [("zero", "wait"), ("wait", "call"), ("call", "keep"), ("keep", "end")],
            wait=waits,
            call=waits_for_callback,
            keep=keep,
            outputs={"anything"},
        )
        middle = machine(
            ["zero", "run", "end"],
            [("zero", "run"), ("run", "end")],
            plugins={"inner": inner},
            run=lambda self: self._on_enter_plugin(
                "inner", {"anything": "seed"}, {"anything": "anything"}, message="pay"
            ),
            outputs={"anything"},
        )

        def tell(self):
            self.status = Status.WAIT_FOR_ME
            self.send_message(say(str(self.variables.anything)))
            self.status = Status.MOVE_FORWARD

        outer = machine(
            ["zero", "run", "tell", "end"],
            [("zero", "run"), ("run", "tell"), ("tell", "end")],
            plugins={"middle": middle},
            run=lambda self: self._on_enter_plugin("middle", {}, {"anything": "anything"}),
            tell=tell,
        )
        _, log = drive(outer, user("go"), user("one"), callback("paid"), user("again"))
        assert log == [
            ("run", "WAIT_FOR_PLUGIN", ["pay"]),
            ("run", "WAIT_FOR_PLUGIN", []),
            ("zero", "MOVE_FORWARD", ["['seed', None, 'paid']"]),
            ("run", "WAIT_FOR_PLUGIN", ["pay"]),
        ]

    def test_one_plugin_may_run_again_and_two_after_each_other(self):
        def keep(self):
            self.status = Status.WAIT_FOR_ME
            self.variables.anything = self.current_input
            self.status = Status.MOVE_FORWARD

        asks = machine(
            ["zero", "wait", "keep", "end"],
            [("zero", "wait"), ("wait", "keep"), ("keep", "end")],
            wait=waits,
            keep=keep,
            outputs={"anything"},
        )
        bot = machine(
            ["zero", "first", "second", "rest"],
            [("zero", "first"), ("first", "second"), ("second", "rest"), ("rest", "first")],
            plugins={"a": asks, "b": asks},
            first=lambda self: self._on_enter_plugin("a", {}, {"anything": "anything"}),
            second=lambda self: self._on_enter_plugin("b", {"count": 5}, {"anything": "table"}),
            rest=waits,
        )
        state, log = drive(bot, user("go"), user("one"), user({"k": "two"}), user("x"), user("three"))
        assert [where for where, *_ in log] == ["first", "second", "rest", "first", "second"]
        assert state["main"]["variables"]["anything"] == "three"

    def test_the_old_dialect_reads_the_result_as_a_dict(self):
        def ask(self):
            self.status = Status.WAIT_FOR_ME
            body = MessageData(body=f"pay {self.variables['amount']}")
            self.send_message(FSMOutput(message_data=body, dest="out", plugin_uuid="jbkeyXjbkey"))
            self.status = Status.WAIT_FOR_CALLBACK

        def keep(self):
            self.status = Status.WAIT_FOR_ME
            self.variables["receipt"] = self.current_callback
            self.status = Status.MOVE_FORWARD

        pay = machine(
            ["zero", "ask", "keep", "end"],
            [("zero", "ask"), ("ask", "keep"), ("keep", "end")],
            declared=None,
            ask=ask,
            keep=keep,
            outputs={"receipt"},
        )

        def run(self):
            self.status = Status.WAIT_FOR_ME
            result = self.run_plugin("pay", amount=5)
            if result == self.RUN_TOKEN:
                return
            self.variables["result"] = [result["receipt"], sorted(result.keys()), dict(result), list(result)]
            self.status = Status.MOVE_FORWARD

        bot = machine(
            ["zero", "run", "wait", "end"],
            [("zero", "run"), ("run", "wait"), ("wait", "end")],
            plugins={"pay": pay},
            declared=None,
            run=run,
            wait=waits,
        )
        state, log = drive(bot, user("go"), user("chatter"), callback("ok"))
        assert [texts for *_, texts in log] == [["pay 5"], [], []]
        assert state["main"]["variables"] == {"result": ["ok", ["receipt"], {"receipt": "ok"}, ["receipt"]]}


class TestWays:
    def test_conditions_that_read_the_input_are_asked_in_the_turn_that_brings_it(self):
        def ask(self):
            self.status = Status.WAIT_FOR_ME
            self.send_message(say("yes?"))
            self.status = Status.WAIT_FOR_USER_INPUT

        bot = machine(
            ["zero", "ask", "yes", "end"],
            [("zero", "ask"), ("ask", "yes", "agrees"), ("ask", "ask", "declines"), ("yes", "end")],
            ask=ask,
            yes=waits,
            agrees=lambda self: self.current_input == "y",
            declines=lambda self: self.current_input != "y",
        )
        _, log = drive(bot, user("go"), user("n"), user("y"))
        assert log == [
            ("ask", "WAIT_FOR_USER_INPUT", ["yes?"]),
            ("ask", "WAIT_FOR_USER_INPUT", ["yes?"]),
            ("yes", "WAIT_FOR_USER_INPUT", []),
        ]

    def test_a_state_may_jump_by_itself(self):
        def tell(self):
            self.status = Status.WAIT_FOR_ME
            self.send_message(say("here"))
            self.status = Status.WAIT_FOR_USER_INPUT

        bot = machine(
            ["zero", "jump", "there", "end"],
            [("zero", "jump"), ("there", "end")],
            jump=lambda self: self.to_there(),
            there=tell,
        )
        assert drive(bot, user("go"))[1] == [("there", "WAIT_FOR_USER_INPUT", ["here"])]

    def test_a_bot_may_end_where_it_likes_and_begin_where_no_state_is_declared(self):
        def bye(self):
            self.status = Status.WAIT_FOR_ME
            self.send_message(say("bye"))
            self.status = Status.END

        bot = machine(["wait", "bye"], [("zero", "wait"), ("wait", "bye")], wait=waits, bye=bye)
        _, log = drive(bot, user("go"), user("x"), user("y"))
        assert log == [
            ("wait", "WAIT_FOR_USER_INPUT", []),
            ("zero", "MOVE_FORWARD", ["bye"]),
            ("wait", "WAIT_FOR_USER_INPUT", []),
        ]

    def test_a_subclass_overrides_what_it_inherits(self):
        base = machine(["zero", "wait", "end"], [("zero", "wait"), ("wait", "end")], wait=waits)

        class Polite(base):
            def on_enter_wait(self):
                self.send_message(say("welcome"))
                self.status = Status.WAIT_FOR_USER_INPUT

        assert drive(Polite, user("go"))[1] == [("wait", "WAIT_FOR_USER_INPUT", ["welcome"])]

    @pytest.mark.parametrize("given", ["", "0", "नमस्ते 🚲\n", '{"chunks": [1]}'])
    def test_every_text_is_an_input(self, given):
        def keep(self):
            self.status = Status.WAIT_FOR_ME
            self.variables.anything = self.current_input
            self.status = Status.WAIT_FOR_USER_INPUT

        bot = machine(
            ["zero", "wait", "keep"], [("zero", "wait"), ("wait", "keep"), ("keep", "keep")], wait=waits, keep=keep
        )
        state, _ = drive(bot, user("go"), user(given))
        assert state["main"]["variables"]["anything"] == given

    def test_credentials_and_temporary_values_last_for_a_turn(self):
        def first(self):
            self.status = Status.WAIT_FOR_ME
            self.temp_variables["x"] = self.credentials["KEY"]
            self.status = Status.MOVE_FORWARD

        def second(self):
            self.status = Status.WAIT_FOR_ME
            self.send_message(say(str(self.temp_variables)))
            self.status = Status.WAIT_FOR_USER_INPUT

        bot = machine(
            ["zero", "first", "second"],
            [("zero", "first"), ("first", "second"), ("second", "second")],
            first=first,
            second=second,
        )
        _, log = drive(bot, user("go"), user("x"), credentials={"KEY": "k"})
        assert [texts for *_, texts in log] == [["{'x': 'k'}"], ["{}"]]
