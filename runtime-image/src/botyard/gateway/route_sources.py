"""Where the routing table comes from: a file here, the operator's ConfigMap in `config_map_routes`."""

import asyncio
import logging
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from botyard.contract.routes import Routes
from botyard.gateway.routes import RoutingTable

log = logging.getLogger(__name__)

FILE_POLL_SECONDS = 0.5


class RouteSource(Protocol):
    """Keeps a table current until it is cancelled."""

    async def run(self, table: RoutingTable) -> None:
        """Load the table, then follow its source. Errors are logged and tried again; the old table stays."""


class FileRoutes:
    """A file with the JSON of `contract.routes.Routes`, for tests, laptops and mounted ConfigMaps.

    Args:
        path: The file. A missing one is waited for.
        poll: Seconds between two looks.
    """

    def __init__(self, path: Path, *, poll: float = FILE_POLL_SECONDS) -> None:
        self._path = path
        self._poll = poll

    async def run(self, table: RoutingTable) -> None:
        """Re-read the file when its content changes."""
        seen: str | None = None
        while True:
            try:
                text = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
            except OSError as error:
                if seen is not None or not table.loaded:
                    log.warning("cannot read the routing table %s: %s", self._path, error)
                seen = None
            else:
                if text != seen:
                    seen = text
                    replace(table, text, str(self._path))
            await asyncio.sleep(self._poll)


def replace(table: RoutingTable, text: str, source: str) -> None:
    """Put the table that the JSON text holds in force; text that is not valid changes nothing.

    Args:
        table: The table in force.
        text: A `Routes` document.
        source: Where it is from, for the log.
    """
    routes = read(text, source)
    if routes is not None:
        table.replace(routes)
        log.info("routing table from %s: %d bots", source, len(table))


def read(text: str, source: str) -> Routes | None:
    """Return the document that the JSON text holds; None, and a line in the log, where it is not valid."""
    try:
        return Routes.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
        log.error("the routing table in %s is not valid, the last good one stays: %s", source, problems)
        return None
