"""The gateway's routing table: ConfigMaps in the operator's namespace, key `routes.json`, reloaded live.

Small tables are one ConfigMap. Larger ones are shards, and each says how many there are together: readers put a table
in force when they have all of them, of the same division. The first one (`botyard-routes`) is written last.
"""

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.erp import Subscription
from botyard.contract.names import ROUTE_SHARDS


class Route(Document):
    """One Bot that the gateway may talk to."""

    namespace: str
    name: str
    model: str = "auto"
    default: bool = False
    ready: bool = False
    reason: str = ""
    message: str = ""
    """Why the Bot is not ready: the Ready condition's message."""
    wakes: bool = False
    """The Bot may sleep: messages are accepted while nothing runs, and each marks the demand that wakes it
    (`botyard.core.activity`)."""
    queue: bool = False
    """Messages are accepted and wait while the Bot is not ready, instead of being refused."""
    partitions: int = Field(default=16, ge=1, le=256)
    max_input_bytes: int = 1_048_576
    events_allow: tuple[str, ...] = ()
    personas: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    """Rows that Personas want to hear of; equal wishes of several Personas stand here once."""


class Routes(Document):
    """All routes of an installation, or one shard of them."""

    routes: tuple[Route, ...] = ()
    shards: int = Field(default=1, ge=1, le=ROUTE_SHARDS)
    """Of how many shards this is one."""
