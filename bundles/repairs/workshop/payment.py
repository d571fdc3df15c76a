"""Takes a deposit: a machine of its own, which the workshop's bot runs as a plugin.

It hands a payment provider a reference and waits for the provider's callback, which carries that reference and the
outcome as JSON: `{"reference": "jbkey…jbkey", "status": "paid", "receipt": "R-1"}`.
"""

import json
from enum import Enum

from botyard.fsm import AbstractFSM, Status, Variables
from workshop.catalogue import euros

DEFAULT_PAYMENT_URL = "https://pay.example.com/checkout"


class Outcome(Enum):
    """How a payment ended."""

    SUCCESS = "SUCCESS"
    DECLINED = "DECLINED"


class PaymentVariables(Variables):
    """What a payment remembers while it waits."""

    cents: int = 0
    reference: str = ""
    receipt: str = ""


class Payment(AbstractFSM):
    """Asks for one payment and waits for its outcome."""

    return_status_values = Outcome
    variable_names = PaymentVariables
    output_variables = {"receipt"}
    states = ["zero", "ask_payment", "read_outcome", "paid", "declined", "end"]
    transitions = [
        {"source": "zero", "dest": "ask_payment", "trigger": "next"},
        {"source": "ask_payment", "dest": "read_outcome", "trigger": "next"},
        {"source": "read_outcome", "dest": "paid", "trigger": "next", "conditions": "has_receipt"},
        {"source": "read_outcome", "dest": "declined", "trigger": "next"},
        {"source": ["paid", "declined"], "dest": "end", "trigger": "next"},
    ]
    conditions = {"has_receipt"}

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def on_enter_ask_payment(self):
        self.status = Status.WAIT_FOR_ME
        self.variables.reference = self.get_reference_id()
        base = self.credentials.get("PAYMENT_URL", DEFAULT_PAYMENT_URL)
        self._on_enter_display(
            f"Please pay the deposit of {euros(self.variables.cents)}: "
            f"{base}?amount={self.variables.cents}&reference={self.variables.reference}"
        )
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_read_outcome(self):
        self.status = Status.WAIT_FOR_ME
        try:
            outcome = json.loads(self.current_callback)
        except ValueError:
            outcome = {}
        if isinstance(outcome, dict) and outcome.get("status") == "paid":
            self.variables.receipt = str(outcome.get("receipt") or self.variables.reference)
        self.status = Status.MOVE_FORWARD

    def has_receipt(self):
        return self.variables.receipt != ""

    def on_enter_paid(self):
        self.status = Status.WAIT_FOR_ME
        self.return_status = Outcome.SUCCESS
        self.status = Status.MOVE_FORWARD

    def on_enter_declined(self):
        self.status = Status.WAIT_FOR_ME
        self.return_status = Outcome.DECLINED
        self.status = Status.MOVE_FORWARD
