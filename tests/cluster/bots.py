"""The bots of these tests: small, with a version in every answer, so that a test sees which revision spoke."""

SOURCE = '''\
"""Counts the messages of a session and says which version it is."""

from jb_manager_bot import AbstractFSM, FSMOutput, MessageData, MessageType, Status


class Counter(AbstractFSM):
    states = ["zero", "listen", "answer"]
    transitions = [
        {{"source": "zero", "dest": "answer", "trigger": "next"}},
        {{"source": "answer", "dest": "listen", "trigger": "next"}},
        {{"source": "listen", "dest": "answer", "trigger": "next"}},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {{}}
        super().__init__(send_message=send_message)

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["count"] = self.variables.get("count", 0) + 1
        body = f"{version}: message {{self.variables['count']}} was {{self.current_input}}"
        self.send_message(FSMOutput(message_data=MessageData(body=body), type=MessageType.TEXT, dest="out"))
        self.status = Status.MOVE_FORWARD

    def on_enter_listen(self):
        self.status = Status.WAIT_FOR_USER_INPUT
'''


def counter(version: str) -> dict[str, str]:
    """Return the files of a bundle whose answers start with `version`."""
    return {"bot.py": SOURCE.format(version=version)}


def broken() -> dict[str, str]:
    """Return the files of a bundle that cannot be imported."""
    return {"bot.py": "class Counter(\n"}
