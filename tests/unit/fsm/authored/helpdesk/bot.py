# ruff: noqa - written as bot authors write: triggers of its own, loops, to_<state>, dict variables, 0.2 messages
import json
from typing import Any, Dict

from jb_manager_bot.abstract_fsm import AbstractFSM, FSMOutput, FSMIntent, Message, MessageType, Status, TextMessage
from jb_manager_bot.data_models import DialogMessage, DialogOption


def text(body):
    return FSMOutput(
        intent=FSMIntent.SEND_MESSAGE,
        message=Message(message_type=MessageType.TEXT, text=TextMessage(body=body)),
    )


class HelpdeskBot(AbstractFSM):
    states = ["zero", "ask", "check", "escalate", "wait_agent", "agent_said", "start_over", "end"]
    transitions = [
        {"source": "zero", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "check", "trigger": "next"},
        {"source": "check", "dest": "end", "trigger": "next", "conditions": ["is_bye"]},
        {"source": "check", "dest": "start_over", "trigger": "next", "conditions": "wants_reset"},
        {"source": "check", "dest": "escalate", "trigger": "next", "conditions": ["is_known", "is_angry"]},
        {"source": "check", "dest": "ask", "trigger": "next", "unless": "is_bye"},
        {"source": ["check", "escalate"], "dest": "wait_agent", "trigger": "hand_over"},
        {"source": "escalate", "dest": "ask", "trigger": "next"},
        {"source": "wait_agent", "dest": "agent_said", "trigger": "next"},
        {"source": "agent_said", "dest": "ask", "trigger": "next"},
        {"source": "start_over", "dest": "ask", "trigger": "next"},
    ]
    conditions = {}
    output_variables = set()

    def __init__(self, send_message, credentials={}):
        self.credentials = credentials
        super().__init__(send_message)
        self.asked = 0

    def on_enter_ask(self):
        self.status = Status.WAIT_FOR_ME
        count = self.variables.get("count", 0)
        self.send_message(text(f"Question {count}?"))
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_check(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["said"] = self.current_input
        self.variables["count"] = self.variables.get("count", 0) + 1
        self.variables.setdefault("history", []).append(self.current_input)
        self.status = Status.MOVE_FORWARD

    def is_bye(self):
        return self.variables["said"].lower() == "bye"

    def wants_reset(self):
        return "reset" in self.variables["said"]

    def is_known(self):
        self.variables["known"] = True
        return self.variables["count"] > 1

    def is_angry(self):
        return "!" in self.variables["said"]

    def on_enter_escalate(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(text("Handing over."))
        self.status = Status.MOVE_FORWARD
        self.hand_over()

    def on_enter_wait_agent(self):
        self.status = Status.WAIT_FOR_ME
        reference = self.get_reference_id()
        self.variables["reference"] = reference
        self.send_message(text(f"agent:{reference}"))
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_agent_said(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(text(json.loads(self.current_callback)["text"]))
        self.status = Status.MOVE_FORWARD

    def on_enter_start_over(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(FSMOutput(intent=FSMIntent.CONVERSATION_RESET))
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_end(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(text("Bye after " + ", ".join(self.variables["history"])))
        self.status = Status.END
