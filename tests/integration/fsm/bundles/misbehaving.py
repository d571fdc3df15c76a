"""A bot that does one wrong thing for each word it is told, and counts the messages that it understood."""

from typing import Any

from botyard.fsm import (
    AbstractFSM,
    FSMIntent,
    FSMOutput,
    ListMessage,
    Message,
    MessageType,
    Option,
    Status,
    TextMessage,
    Variables,
)


class Counted(Variables):
    count: int = 0
    note: Any = None


class Misbehaving(AbstractFSM):
    states = ["zero", "listen", "answer", "order", "paid", "end"]
    transitions = [
        {"source": "zero", "dest": "listen", "trigger": "next"},
        {"source": "listen", "dest": "order", "trigger": "next", "conditions": "orders"},
        {"source": "listen", "dest": "end", "trigger": "next", "conditions": "says_goodbye"},
        {"source": "listen", "dest": "answer", "trigger": "next", "conditions": "is_open"},
        {"source": "answer", "dest": "listen", "trigger": "next"},
        {"source": "order", "dest": "paid", "trigger": "next"},
        {"source": "paid", "dest": "listen", "trigger": "next"},
    ]
    conditions = {"orders", "says_goodbye", "is_open"}
    variable_names = Counted

    def __init__(self, send_message: Any, credentials: Any = None) -> None:
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def orders(self) -> bool:
        return bool(self.current_input == "order")

    def says_goodbye(self) -> bool:
        return bool(self.current_input == "bye")

    def is_open(self) -> bool:
        if self.current_input == "a condition raises":
            raise LookupError("no such shop")
        return bool(self.current_input != "all conditions are false")

    def on_enter_listen(self) -> None:
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_answer(self) -> None:
        self.status = Status.WAIT_FOR_ME
        self.variables.count += 1
        self.misbehave(self.current_input)
        self.say(str(self.variables.count))
        if self.current_input != "a state is left unfinished":
            self.status = Status.MOVE_FORWARD

    def on_enter_order(self) -> None:
        self.status = Status.WAIT_FOR_ME
        self.say(self.get_reference_id())
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_paid(self) -> None:
        self.status = Status.WAIT_FOR_ME
        self.say(f"paid: {self.current_callback}")
        self.status = Status.MOVE_FORWARD

    def misbehave(self, said: Any) -> None:
        match said:
            case "a variable is an object":
                self.variables.note = object()
            case "a variable contains itself":
                self.variables.note = [1]
                self.variables.note.append(self.variables.note)
            case "a variable is not a number":
                self.variables.note = float("nan")
            case "a variable has another type":
                self.variables.count = "many"
            case "a state raises":
                raise ValueError("no such bicycle")
            case "a state leaves the process":
                raise SystemExit(3)
            case "a state prints":
                print('{"new_state": {}}\n' * 100)
            case "ten megabytes":
                self.say("x" * 10_000_000)
            case "ten megabytes in a variable":
                self.variables.note = "x" * 10_000_000
            case "100,000 options":
                self.offer(100_000)
            case "5,000 options":
                self.offer(5_000)
            case "a message of an unknown kind":
                self.send_message({"intent": "SEND_MESSAGE", "message": {"message_type": "carousel"}})
            case "something that is no message":
                self.send_message("hello")
            case "a missing credential":
                self.say(self.credentials["PAYMENT_KEY"])

    def say(self, text: str) -> None:
        message = Message(message_type=MessageType.TEXT, text=TextMessage(body=text))
        self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))

    def offer(self, count: int) -> None:
        options = [Option(option_id=str(number), option_text=f"option {number}") for number in range(count)]
        listed = ListMessage(body="Which?", header="", footer="", options=options, button_text="b", list_title="t")
        message = Message(message_type=MessageType.OPTION_LIST, option_list=listed)
        self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))
