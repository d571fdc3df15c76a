# mypy: ignore-errors
"""Asks a model what to say."""

from botyard import model
from botyard.fsm import AbstractFSM, FSMOutput, MessageData, MessageType, Status


class Adviser(AbstractFSM):
    states = ["zero", "listen", "answer"]
    transitions = [
        {"source": "zero", "dest": "listen", "trigger": "next"},
        {"source": "listen", "dest": "answer", "trigger": "next"},
        {"source": "answer", "dest": "listen", "trigger": "next"},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def on_enter_listen(self):
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        said = model.ask_blocking([{"role": "user", "content": self.current_input}]).text
        self.send_message(FSMOutput(message_data=MessageData(body=said), type=MessageType.TEXT, dest="out"))
        self.status = Status.MOVE_FORWARD
