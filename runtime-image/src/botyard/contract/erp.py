"""Which Personas want to hear of which rows, as those who route changes are told."""

from typing import Literal

from botyard.contract.base import Document

Action = Literal["INSERT", "UPDATE", "DELETE", "ARCHIVE"]
ACTIONS: tuple[Action, ...] = ("INSERT", "UPDATE", "DELETE", "ARCHIVE")


class ErpSubscription(Document):
    """A wish to hear of changed rows of one table."""

    table: str
    """Its name; `*`: every table."""
    actions: tuple[Action, ...] = ACTIONS
    where: tuple[str, ...] = ()
    """Conditions on the row (`botyard.erp.filters`); all must hold."""
    columns: tuple[str, ...] = ()
    """Columns whose changes count, in an UPDATE; empty: all."""


class Subscription(ErpSubscription):
    """The same wish of several Personas of one Bot."""

    personas: tuple[str, ...] = ()


def together(wishes: dict[str, tuple[ErpSubscription, ...]]) -> tuple[Subscription, ...]:
    """Return the wishes of a Bot's Personas with equal ones put together, in the order of their first Personas.

    Args:
        wishes: What each Persona wants, by its name.
    """
    found: dict[ErpSubscription, list[str]] = {}
    for persona, subscriptions in wishes.items():
        for subscription in dict.fromkeys(subscriptions):
            found.setdefault(subscription, []).append(persona)
    return tuple(Subscription(**dict(wish), personas=tuple(personas)) for wish, personas in found.items())
