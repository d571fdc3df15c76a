"""Marks the demand for bots that may sleep, so that the operator wakes them."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from botyard.contract.routes import Route
from botyard.core.activity import Activity
from botyard.core.connection import Unavailable
from botyard.gateway import routes

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
"""A bot is marked by one gateway at most so often: a mark also stands for what is accepted shortly after it."""
_MOST = 10_000


class Waker:
    """Tells that bots are needed, after something was accepted for them.

    Args:
        activity: Where demand is marked.
        clock: Seconds, monotonic.
    """

    def __init__(self, activity: Activity, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._activity = activity
        self._clock = clock
        self._marked: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def need(self, route: Route) -> None:
        """Mark the demand for a bot that may sleep; nothing for others.

        The event is stored already: when the mark fails, the operator's own look at the inboxes makes up for it, and
        the caller must not be told to send again.
        """
        if not route.wakes:
            return
        bot, now = (route.namespace, route.name), self._clock()
        if now - self._marked.get(bot, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
            return
        self._marked[bot] = now
        self._marked.move_to_end(bot)
        if len(self._marked) > _MOST:
            self._marked.popitem(last=False)
        try:
            await self._activity.mark(routes.address(route))
        except Unavailable as error:
            log.warning("the demand for %s/%s could not be marked: %s", *bot, error)
