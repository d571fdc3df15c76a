"""Who gets a change: the Personas of the namespace that subscribed to it, each once."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from botyard.contract.erp import Subscription
from botyard.contract.routes import Route
from botyard.erp import filters
from botyard.erp.changes import Change
from botyard.erp.filters import Filter, FilterError
from botyard.loop.erp_schema import TABLES

ANY_TABLE = "*"
"""In a subscription: every table. Where nothing says which tables a bot wants, its handlers do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription that is ready to be asked."""

    subscription: Subscription
    passes: Filter

    def wants(self, change: Change, row: Mapping[str, Any]) -> bool:
        """Tell whether a change of the table is wanted.

        Args:
            change: The change.
            row: Its row, with decimals as such.

        The filter looks at the row as it is now; of a DELETE at what it was. So a row that stops to pass is not told
        of, and one that begins to is told of as the UPDATE that it was.
        """
        wish = self.subscription
        if change.action not in wish.actions:
            return False
        if wish.columns and change.action == "UPDATE" and not change.changed(wish.columns):
            return False
        return self.passes(row)


class RoutingPlan:
    """The subscriptions of one namespace, by table: read once, asked for each change.

    Subscriptions that are the same are asked once, however many Personas have them.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._wishes: dict[str, list[tuple[Route, Wish]]] = {}
        self.unreadable: list[str] = []
        """Filters that cannot be read; nothing is delivered by them. The operator refuses them where they are
        written, so there are none of its making."""
        self.routes = tuple(routes)
        for route in self.routes:
            for subscription in route.subscriptions:
                try:
                    passes = filters.parse(list(subscription.where))
                except FilterError as error:
                    self.unreadable.append(f"{route.namespace}/{route.name}: {error}")
                    continue
                self._wishes.setdefault(subscription.table, []).append((route, Wish(subscription, passes)))

    def receivers(self, table: str, change: Change) -> list[tuple[Route, tuple[str, ...]]]:
        """Return the Personas that get a change, by Bot."""
        row = _typed(table, change.row)
        found: dict[int, tuple[Route, dict[str, None]]] = {}
        for route, wish in (*self._wishes.get(table, ()), *self._wishes.get(ANY_TABLE, ())):
            if wish.wants(change, row):
                _, personas = found.setdefault(id(route), (route, {}))
                personas |= dict.fromkeys(wish.subscription.personas)
        return [(route, tuple(personas)) for route, personas in found.values()]


def _typed(table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row with its decimals, which databases write as texts, as such; others as they came."""
    kind = TABLES.get(table)
    if kind is None:
        return row
    typed = dict(row)
    for name in kind.decimals() & row.keys():
        with contextlib.suppress(InvalidOperation):
            typed[name] = Decimal(str(row[name]))
    return typed


def payload(table: str, change: Change) -> Mapping[str, Any]:
    """Return the event that brings a change to a Persona."""
    return {"action": "erp.changed", "table": table, "change": change.action, "new": change.new, "old": change.old}
