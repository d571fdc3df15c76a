# mypy: ignore-errors
"""Says what it hears; some words make it slow, fail, die once, sing, or offer buttons."""

import os
import tempfile
import time
import wave
from pathlib import Path

from botyard.fsm import AbstractFSM, FSMOutput, MessageData, MessageType, OptionsListType, Status, UploadFile


class Parrot(AbstractFSM):
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
        said = self.current_input
        if said == "slow":
            time.sleep(60)
        if said == "fail":
            raise ValueError("no more crackers")
        if said.startswith("die once "):
            self.say("about to fall")
            marker = Path(said.removeprefix("die once "))
            if not marker.exists():
                marker.touch()
                time.sleep(1)  # What was said before is sent by then.
                os._exit(9)
        if said == "sing":
            self.sing()
        self.say(said, said if said.startswith("<") else None)
        self.status = Status.MOVE_FORWARD

    def sing(self):
        path = Path(tempfile.mkdtemp()) / "song.wav"
        with wave.open(str(path), "wb") as song:
            song.setnchannels(1)
            song.setsampwidth(2)
            song.setframerate(8000)
            song.writeframes(bytes(16000))
        file = UploadFile(path=str(path), mime_type="audio/wav", filename="song.wav")
        data = MessageData(body="A song")
        self.send_message(FSMOutput(message_data=data, type=MessageType.AUDIO, file=file, dest="out"))

    def say(self, text, option=None):
        options = [OptionsListType(id=option, title=option)] if option else None
        kind = MessageType.INTERACTIVE if option else MessageType.TEXT
        data = MessageData(header=option, body=text, footer=option)
        self.send_message(FSMOutput(message_data=data, type=kind, options_list=options, dest="out"))
