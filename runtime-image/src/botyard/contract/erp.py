"""Which Personas want to hear of which rows, as the operator tells those who route changes."""

from typing import Literal

from botyard.contract.base import Document

Action = Literal["INSERT", "UPDATE", "DELETE", "ARCHIVE"]
ACTIONS: tuple[Action, ...] = ("INSERT", "UPDATE", "DELETE", "ARCHIVE")


class Subscription(Document):
    """One wish, of all Personas of a Bot that have the same."""

    table: str
    actions: tuple[Action, ...] = ACTIONS
    where: tuple[str, ...] = ()
    """Conditions on the row (`botyard.erp.filters`); all must hold."""
    columns: tuple[str, ...] = ()
    """Columns whose changes count, in an UPDATE; empty: all."""
    personas: tuple[str, ...] = ()
