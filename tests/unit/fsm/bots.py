"""Small machines for the specifications."""

from collections.abc import Callable
from typing import Any

from botyard.fsm import AbstractFSM, FSMOutput, Status

Handler = Callable[[Any], None]


class Sent(list):
    """A `send_message` that keeps what it gets."""

    def __call__(self, output: FSMOutput) -> None:
        self.append(output)

    @property
    def texts(self) -> list[str]:
        return [output.message_data.body for output in self]


def step(source, dest, conditions=None, **more):
    transition = {"source": source, "dest": dest, "trigger": "next", **more}
    return transition if conditions is None else transition | {"conditions": conditions}


def waits_for_user(machine):
    machine.status = Status.WAIT_FOR_USER_INPUT


def waits_for_callback(machine):
    machine.status = Status.WAIT_FOR_CALLBACK


def moves_on(machine):
    machine.status = Status.MOVE_FORWARD


def ends(machine):
    machine.status = Status.END


def bot(transitions, handlers: dict[str, Handler], base: type = AbstractFSM, **members) -> type[AbstractFSM]:
    """Return a bot's class whose states are those with a handler, besides "zero"."""

    def init(self, send_message, credentials=None, **kwargs):
        self.credentials = credentials or {}
        base.__init__(self, send_message=send_message, **kwargs)

    namespace = {
        "__init__": init,
        "states": ["zero", *handlers],
        "transitions": transitions,
        "conditions": set(),
        **{f"on_enter_{name}": handler for name, handler in handlers.items()},
        **members,
    }
    return type("Bot", (base,), namespace)


def turn(cls, state=None, text=None, callback=None, credentials=None, **kwargs):
    """Run one turn and return its state and what was sent."""
    sent = Sent()
    after = cls.run_machine(sent, text, callback, credentials or {}, state, **kwargs)
    return after, sent


def where(state) -> str:
    return state["main"]["state"]
