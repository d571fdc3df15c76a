"""Repairs: the bot of a bicycle workshop. It quotes, takes a deposit where one is due, and makes an appointment."""

import json
from datetime import date

from workshop import calendar, catalogue
from workshop.payment import Outcome, Payment

from botyard.fsm import AbstractFSM, Option, Status, Variables

MIN_DESCRIPTION = 3
MAX_DESCRIPTION = 200


class RepairVariables(Variables):
    """What one session remembers."""

    service: str | None = None
    bike: str | None = None
    cents: int = 0
    deposit_cents: int = 0
    receipt: str | None = None
    days: list[str] = []
    day: str | None = None


class RepairShop(AbstractFSM):
    """Greets, asks what is to be done to which bicycle, quotes, and books a day."""

    variable_names = RepairVariables
    output_variables = {"service", "bike", "cents", "day"}
    states = [
        "zero",
        "greet",
        "ask_service",
        "read_service",
        "service_unclear",
        "ask_bike",
        "read_bike",
        "bike_unclear",
        "quote",
        "take_deposit",
        "deposit_missing",
        "ask_day",
        "read_day",
        "day_unclear",
        "summary",
        "end",
    ]
    transitions = [
        {"source": "zero", "dest": "greet", "trigger": "next"},
        {"source": "greet", "dest": "ask_service", "trigger": "next"},
        {"source": ["ask_service", "service_unclear"], "dest": "read_service", "trigger": "next"},
        {"source": "read_service", "dest": "ask_bike", "trigger": "next", "conditions": "knows_service"},
        {"source": "read_service", "dest": "service_unclear", "trigger": "next"},
        {"source": ["ask_bike", "bike_unclear"], "dest": "read_bike", "trigger": "next"},
        {"source": "read_bike", "dest": "quote", "trigger": "next", "conditions": "knows_bike"},
        {"source": "read_bike", "dest": "bike_unclear", "trigger": "next"},
        {"source": "quote", "dest": "take_deposit", "trigger": "next", "conditions": "needs_deposit"},
        {"source": "quote", "dest": "ask_day", "trigger": "next"},
        {"source": "take_deposit", "dest": "ask_day", "trigger": "next", "conditions": "deposit_paid"},
        {"source": "take_deposit", "dest": "deposit_missing", "trigger": "next"},
        {"source": "deposit_missing", "dest": "end", "trigger": "next"},
        {"source": ["ask_day", "day_unclear"], "dest": "read_day", "trigger": "next"},
        {"source": "read_day", "dest": "summary", "trigger": "next", "conditions": "knows_day"},
        {"source": "read_day", "dest": "day_unclear", "trigger": "next"},
        {"source": "summary", "dest": "end", "trigger": "next"},
    ]
    conditions = {"knows_service", "knows_bike", "needs_deposit", "deposit_paid", "knows_day"}

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        self.plugins = {"payment": Payment(send_message, self.credentials)}
        super().__init__(send_message=send_message)

    # --- what is to be done

    def on_enter_greet(self):
        self._on_enter_display("Hello! This is the bicycle workshop.")

    def on_enter_ask_service(self):
        self._ask_for_service("What can we do for you?")

    def on_enter_service_unclear(self):
        self._ask_for_service("We do not offer that. Please choose one of these:")

    def _ask_for_service(self, text):
        self.status = Status.WAIT_FOR_ME
        options = [
            Option(option_id=identity, option_text=service.title) for identity, service in catalogue.SERVICES.items()
        ]
        self._on_enter_display(text, options=options, menu_selector="Services", menu_title="Choose")
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_read_service(self):
        self.status = Status.WAIT_FOR_ME
        self.variables.service = catalogue.service_named(said(self.current_input))
        self.status = Status.MOVE_FORWARD

    def knows_service(self):
        return self.variables.service is not None

    # --- to which bicycle

    def on_enter_ask_bike(self):
        self._ask_for_bike("Which bicycle is it? A few words will do, for example: blue touring bike, 28 inch.")

    def on_enter_bike_unclear(self):
        self._ask_for_bike(f"Please describe it in {MIN_DESCRIPTION} to {MAX_DESCRIPTION} letters.")

    def _ask_for_bike(self, text):
        self.status = Status.WAIT_FOR_ME
        self._on_enter_display(text)
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_read_bike(self):
        self.status = Status.WAIT_FOR_ME
        described = said(self.current_input)
        fits = MIN_DESCRIPTION <= len(described) <= MAX_DESCRIPTION and any(c.isalpha() for c in described)
        self.variables.bike = described if fits else None
        self.status = Status.MOVE_FORWARD

    def knows_bike(self):
        return self.variables.bike is not None

    # --- for how much

    def on_enter_quote(self):
        self.status = Status.WAIT_FOR_ME
        v = self.variables
        v.cents = catalogue.quote(v.service, v.bike)
        v.deposit_cents = catalogue.deposit(v.cents)
        self._on_enter_display(f"{catalogue.SERVICES[v.service].title} for your {v.bike}: {catalogue.euros(v.cents)}.")
        self.status = Status.MOVE_FORWARD

    def needs_deposit(self):
        return self.variables.deposit_cents > 0

    def on_enter_take_deposit(self):
        self._on_enter_plugin(
            "payment",
            input_variables={"cents": "deposit_cents"},
            output_variables={"receipt": "receipt"},
            message="A repair of this size needs a deposit.",
        )

    def deposit_paid(self):
        return self._plugin_error_code_validation(Outcome.SUCCESS)

    def on_enter_deposit_missing(self):
        self._on_enter_display("The deposit was not paid, so nothing is booked. Write to us to try again.")

    # --- and when

    def on_enter_ask_day(self):
        self.status = Status.WAIT_FOR_ME
        self.variables.days = calendar.next_days(date.today())
        self._on_enter_display("When will you bring it?", options=self.variables.days)
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_day_unclear(self):
        self.status = Status.WAIT_FOR_ME
        self._on_enter_display("Please choose one of these days:", options=self.variables.days)
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_read_day(self):
        self.status = Status.WAIT_FOR_ME
        chosen = said(self.current_input)
        numbered = {str(number): day for number, day in enumerate(self.variables.days, start=1)}
        day = numbered.get(chosen, chosen)
        self.variables.day = day if day in self.variables.days else None
        self.status = Status.MOVE_FORWARD

    def knows_day(self):
        return self.variables.day is not None

    def on_enter_summary(self):
        v = self.variables
        lines = [
            f"Booked for {v.day}: {catalogue.SERVICES[v.service].title}, {v.bike}, {catalogue.euros(v.cents)}.",
        ]
        if v.receipt:
            lines.append(f"Deposit of {catalogue.euros(v.deposit_cents)} received ({v.receipt}).")
        self._on_enter_display("\n".join(lines))


def said(given):
    """Return what the user said or chose: the id of a button, or the text."""
    text = (given or "").strip() if isinstance(given, str) else ""
    if text.startswith("["):
        try:
            return str(json.loads(text)[0]["option_id"])
        except (ValueError, LookupError, TypeError):
            return text
    return text
