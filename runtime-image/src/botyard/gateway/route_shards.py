"""A routing table from its shards: in force when all of them are there, of the same division."""

import logging

from botyard.contract.routes import Routes
from botyard.gateway.routes import RoutingTable

log = logging.getLogger(__name__)


class RouteShards:
    """Gathers shards and puts whole tables in force.

    Between two divisions, and while a shard is missing, the table that is in force stays.

    Args:
        table: The table in force.
    """

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._shards: dict[int, Routes] = {}

    @property
    def wanted(self) -> int:
        """How many shards there are, as the first one says."""
        return self._shards[0].shards if 0 in self._shards else 1

    def put(self, number: int, shard: Routes) -> None:
        """Take the newest content of a shard."""
        self._shards[number] = shard
        self._combine()

    def gone(self, number: int) -> None:
        """Take that a shard does not exist; without the first one there is no table."""
        self._shards.pop(number, None)
        if number == 0:
            self._table.replace(Routes())

    def _combine(self) -> None:
        found = [self._shards.get(number) for number in range(self.wanted)]
        whole = [shard for shard in found if shard is not None and shard.shards == self.wanted]
        if 0 in self._shards and len(whole) == self.wanted:
            self._table.replace(Routes(routes=tuple(route for shard in whole for route in shard.routes)))
            log.info("routing table: %d bots in %d shards", len(self._table), self.wanted)
