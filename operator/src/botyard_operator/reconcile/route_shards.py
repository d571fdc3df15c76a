"""How the routing table is spread over ConfigMaps, none of which may reach the API server's limit on sizes."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence

from botyard.contract import names
from botyard.contract.routes import Route, Routes

logger = logging.getLogger(__name__)


def divide(
    routes: Sequence[Route],
    present: int,
    *,
    most: int = names.ROUTE_SHARDS,
    limit: int = names.ROUTES_SHARD_BYTES,
) -> tuple[str, ...]:
    """Return the content of each shard, as JSON.

    A Bot's place follows from its name, so that a change of one Bot changes one shard. Their number is doubled when one
    of them is too large, and halved when half of them would be half empty: not back and forth around a limit.

    Args:
        routes: All of them, in a stable order.
        present: Number of shards that there are now.
        most: Number of shards that there may be.
        limit: Bytes of one shard.
    """
    count = min(max(present, 1), most)
    shards = _split(routes, count)
    while count < most and _largest(shards) > limit:
        count *= 2
        shards = _split(routes, count)
    while count > 1 and count <= present and _largest(fewer := _split(routes, count // 2)) <= limit // 2:
        count //= 2
        shards = fewer
    if _largest(shards) > limit:
        logger.error("the routing table is too large; messages are left out", extra={"bytes": _largest(shards)})
        shards = _split([route.model_copy(update={"message": ""}) for route in routes], count)
    return shards


def _split(routes: Sequence[Route], count: int) -> tuple[str, ...]:
    shards: list[list[Route]] = [[] for _ in range(count)]
    for route in routes:
        shards[zlib.crc32(f"{route.namespace}/{route.name}".encode()) % count].append(route)
    return tuple(Routes(routes=tuple(shard), shards=count).to_json() for shard in shards)


def _largest(shards: Sequence[str]) -> int:
    return max(len(shard.encode()) for shard in shards)
