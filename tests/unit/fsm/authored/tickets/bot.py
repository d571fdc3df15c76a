# ruff: noqa - written as bot authors write: tasks made in the constructor, a plugin that is a function
from typing import Any, Dict

from jb_manager_bot import AbstractFSM
from jb_manager_bot.abstract_fsm import Variables


class TicketVariables(Variables):
    seat: str = None
    people: int = None
    total: int = None
    unit_price: int = 12
    code: str = None


def reserve(seat, people, token):
    if token != "secret":
        return {"error_code": 401, "code": None}
    if seat == "Box":
        return {"error_code": 409, "code": None}
    return {"error_code": 200, "code": f"{seat}-{people}"}


class TicketBot(AbstractFSM):
    variable_names = TicketVariables
    states = ["zero", "no_seat", "end"]
    transitions = [{"source": "zero", "dest": "hello", "trigger": "next"}]
    conditions = {"few_people"}
    output_variables = set()

    def __init__(self, send_message: callable, credentials: Dict[str, Any] = None):
        self.credentials = credentials or {}
        self.create_display_task("hello", "seat_display", "Welcome to the theatre.")
        self.create_input_task(
            "seat",
            "Which seat?",
            success_dest="people_display",
            options=["Stalls", "Box"],
            write_var="seat",
            validation_expression="seat in ['Stalls', 'Box']",
        )
        self.create_input_task(
            "people",
            "How many people?",
            success_dest="size",
            is_valid=lambda value: str(value).isdigit(),
            options=["1", "2", "3", "4", "12"],
            write_var="people",
        )
        self.create_branching_task(
            "size",
            [{"condition": "few_people", "dest": "price"}, {"condition": None, "dest": "group"}],
        )
        self.create_display_task("group", "price", "That is a group.")
        self.create_assign_task("price", "reserve", "compute_price", "12", "total")
        self.create_plugin_task(
            "reserve",
            "Reserving.",
            reserve,
            {"seat": "seat", "people": "people", "token": "TOKEN"},
            {"code": "code"},
            [
                {"condition": 200, "dest": "done"},
                {"condition": 409, "dest": "no_seat"},
                {"condition": None, "dest": "no_seat"},
            ],
        )
        self.create_display_task("done", "end", "Reserved {code}, {total} each.", format_variables=["code", "total"])
        self._add_transition("no_seat", "seat_display")
        super().__init__(send_message=send_message)

    def few_people(self):
        return int(self.variables.people) < 10

    def on_enter_no_seat(self):
        self._on_enter_display("That seat is taken.")
