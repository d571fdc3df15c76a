"""The routing table in memory: which bots there are, replaced as a whole whenever its source has a new one."""

import time
from collections.abc import Callable, Iterator

from botyard.contract.routes import Route, Routes
from botyard.core.address import BotAddress
from botyard.erp.routing import RoutingPlan


def address(route: Route) -> BotAddress:
    """Return where a route's bot lives in Redis."""
    return BotAddress(route.namespace, route.name, route.partitions)


class RoutingTable:
    """What is known of the bots now. Readers never wait; a source calls `replace`."""

    def __init__(self, routes: Routes | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._routes: dict[tuple[str, str], Route] = {}
        self._plans: dict[str, RoutingPlan] = {}
        self.loaded_at: float | None = None
        """Seconds since 1970 of the last replacement; None: nothing was ever loaded."""
        if routes is not None:
            self.replace(routes)

    @property
    def loaded(self) -> bool:
        """Tell whether a table was loaded, if only an empty one."""
        return self.loaded_at is not None

    def replace(self, routes: Routes) -> None:
        """Put a new table in the place of the old one."""
        self._routes = {(route.namespace, route.name): route for route in routes.routes}
        self._plans = {}
        self.loaded_at = self._clock()

    def find(self, namespace: str, name: str) -> Route | None:
        """Return the route of a bot."""
        return self._routes.get((namespace, name))

    def default(self, namespace: str) -> Route | None:
        """Return the default bot of a namespace: the one that says so, or the only one."""
        here = [route for route in self._routes.values() if route.namespace == namespace]
        marked = [route for route in here if route.default]
        if marked:
            return min(marked, key=lambda route: route.name)
        return here[0] if len(here) == 1 else None

    def subscriptions(self, namespace: str) -> RoutingPlan:
        """Return which Personas of a namespace want to hear of which rows."""
        plan = self._plans.get(namespace)
        if plan is None:
            plan = RoutingPlan(route for route in self if route.namespace == namespace)
            # Only of namespaces that exist: names that callers make up are not kept.
            if plan.routes:
                self._plans[namespace] = plan
        return plan

    def __iter__(self) -> Iterator[Route]:
        return iter([self._routes[key] for key in sorted(self._routes)])

    def __len__(self) -> int:
        return len(self._routes)
