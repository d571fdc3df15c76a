"""Bots written the way the framework's document shows them, under the names that bots import."""

import importlib
import json
from typing import Any

import pytest

import botyard.fsm
from jb_manager_bot import (
    AbstractFSM,
    FSMOutput,
    MessageData,
    MessageType,
    OptionsListType,
    Status,
    UploadFile,
    Variables,
)
from tests.unit.fsm.bots import Sent, turn, where


class BotCode(AbstractFSM):
    states = ["zero", "greet_user", "ask", "branch", "second_a_state", "second_b_state", "webhook", "file", "end"]
    transitions = [
        {"source": "zero", "dest": "greet_user", "trigger": "next"},
        {"source": "greet_user", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "branch", "trigger": "next"},
        {"source": "branch", "dest": "second_a_state", "trigger": "next", "conditions": "is_second_a"},
        {"source": "branch", "dest": "second_b_state", "trigger": "next", "conditions": "is_second_b"},
        {"source": "second_a_state", "dest": "webhook", "trigger": "next"},
        {"source": "second_b_state", "dest": "file", "trigger": "next"},
        {"source": "webhook", "dest": "end", "trigger": "next"},
        {"source": "file", "dest": "end", "trigger": "next"},
    ]
    conditions = {"is_second_a", "is_second_b"}
    output_variables = set()

    def __init__(self, send_message: callable, credentials: dict[str, Any] | None = None):
        if credentials is None:
            credentials = {}
        self.credentials = {}
        super().__init__(send_message=send_message)

    def say(self, text):
        self.send_message(FSMOutput(message_data=MessageData(body=text), type=MessageType.TEXT, dest="out"))

    def on_enter_greet_user(self):
        self.status = Status.WAIT_FOR_ME
        self.say("Hello! How are you?")
        self.variables["my_variable"] = 10
        self.variables["your_variable"] = self.variables("your_variable")
        self.status = Status.MOVE_FORWARD

    def on_enter_ask(self):
        self.status = Status.WAIT_FOR_ME
        options = [OptionsListType(id="a", title="A"), OptionsListType(id="b", title="B")]
        self.send_message(
            FSMOutput(
                message_data=MessageData(body="Which?"), type=MessageType.INTERACTIVE, options_list=options, dest="out"
            )
        )
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_branch(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["choice"] = self.current_input
        self.status = Status.MOVE_FORWARD

    def is_second_a(self):
        return "a" in self.variables["choice"]

    def is_second_b(self):
        return "b" in self.variables("choice")

    def on_enter_second_a_state(self):
        self.status = Status.WAIT_FOR_ME
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_webhook(self):
        self.status = Status.WAIT_FOR_ME
        webhook_data = self.current_callback
        webhook_data = json.loads(webhook_data)
        self.say(f"paid {webhook_data['paid']}")
        self.status = Status.MOVE_FORWARD

    def on_enter_second_b_state(self):
        self.status = Status.WAIT_FOR_ME
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_file(self):
        self.status = Status.WAIT_FOR_ME
        file_bytes = self.current_input
        self.say(f"Thanks for sharing the file: {file_bytes!r}")
        self.status = Status.MOVE_FORWARD


class TestTheDocumentedBot:
    def until_asked(self):
        state, sent = turn(BotCode, text="start")
        assert sent.texts == ["Hello! How are you?", "Which?"]
        assert state == {
            "main": {"state": "ask", "status": 1, "variables": {"my_variable": 10, "your_variable": None}},
            "plugins": {},
        }
        return state

    def test_user_input_then_a_webhook_then_the_end(self):
        state, _ = turn(BotCode, self.until_asked(), text="a")
        assert (where(state), state["main"]["status"]) == ("second_a_state", 3)
        state, sent = turn(BotCode, state, callback='{"paid": true}')
        assert sent.texts == ["paid True"]
        assert state["main"] == {"state": "zero", "status": 2, "variables": {}}

    def test_user_input_then_a_file(self):
        state, _ = turn(BotCode, self.until_asked(), text="b")
        _, sent = turn(BotCode, state, text=b"\x00\xff")
        assert sent.texts == [r"Thanks for sharing the file: b'\x00\xff'"]

    def test_if_both_conditions_hold_the_first_declared_is_taken(self):
        assert where(turn(BotCode, self.until_asked(), text="ab")[0]) == "second_a_state"

    def test_a_new_instance_for_each_session(self):
        first, second = BotCode(Sent()), BotCode(Sent())
        first.variables["x"] = 1
        assert "x" not in second.variables


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            "jb_manager_bot",
            "AbstractFSM FSMOutput MessageData MessageType Status UploadFile OptionsListType Variables",
        ),
        (
            "jb_manager_bot.abstract_fsm",
            "AbstractFSM Variables ReturnStatus Status FSMOutput FSMIntent Message MessageType TextMessage ListMessage "
            "ButtonMessage Option ImageMessage Webhook Parser BaseModel Any Dict List Set Machine",
        ),
        (
            "jb_manager_bot.data_models",
            "FSMInput FSMOutput FSMIntent Message MessageType Status TextMessage AudioMessage InteractiveMessage "
            "ButtonMessage ListMessage FormMessage ImageMessage DocumentMessage InteractiveReplyMessage "
            "FormReplyMessage DialogMessage DialogOption Option RAGQuery Webhook MessageData OptionsListType "
            "UploadFile",
        ),
        ("jb_manager_bot.parsers", "OptionParser Parser"),
        ("jb_manager_bot.parsers.utils", "LLMManager"),
    ],
)
def test_the_names_that_bots_import_are_the_native_classes(module, names):
    imported = importlib.import_module(module)
    for name in names.split():
        native = getattr(botyard.fsm, name, None)
        assert getattr(imported, name) is not None
        assert native is None or getattr(imported, name) is native


def test_both_dialects_mix():
    from jb_manager_bot.data_models import ButtonMessage, FSMIntent, Message, Option, TextMessage

    class Answers(Variables):
        name: str | None = None

    class Mixed(AbstractFSM):
        states = ["zero", "a", "b"]
        transitions = [
            {"source": "zero", "dest": "a", "trigger": "next"},
            {"source": "a", "dest": "b", "trigger": "next"},
        ]
        conditions = {}
        variable_names = Answers

        def on_enter_a(self):
            self.send_message(FSMOutput(message_data=MessageData(body="old")))
            text = Message(message_type=MessageType.TEXT, text=TextMessage(body="new"))
            self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=text))
            buttons = ButtonMessage(
                header="", body="which", footer="", options=[Option(option_id="1", option_text="A")]
            )
            message = Message(message_type=MessageType.BUTTON, button=buttons)
            self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))
            self.status = Status.WAIT_FOR_USER_INPUT

        def on_enter_b(self):
            self.variables["name"] = self.current_input
            self.status = Status.END

    state, sent = turn(Mixed)
    assert sent.texts == ["old", "new", "which"]
    assert turn(Mixed, state, text="Ada")[0]["main"]["state"] == "zero"
    assert UploadFile(path="p", mime_type="m", filename="f").filename == "f"
