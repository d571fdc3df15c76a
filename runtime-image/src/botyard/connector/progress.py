"""What a source's connector remembers in Redis, so that another one goes on where it stopped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.connector.settings import Source
from botyard.core import keys
from botyard.core.address import BotAddress, Partition


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a source.

    Attributes:
        generation: Number of its slot: each new slot has a higher one, so that places of its log come after all before.
        made: This installation made the slot, or is about to.
        renewed: The value of `renew` for which the slot was made.
        wanted: The value of `snapshot` for which rows are being sent; empty: none.
        sent: The value of `snapshot` for which all rows have been sent.
        table: Of the snapshot, the table whose rows are being sent.
        after: The key of its last row that was sent, as JSON; empty: none was.
        count: Rows of snapshots that were sent so far. It never goes back, so that on an idle database, too, rows that
            are sent later have a later place.
    """

    generation: int = 0
    made: bool = False
    renewed: str = ""
    wanted: str = ""
    sent: str = ""
    table: str = ""
    after: str = ""
    count: int = 0


def home(source: Source) -> Partition:
    """Return where a source's lease and progress live; no Bot has such a name."""
    return Partition(BotAddress(source.namespace, f"erp/{source.name}", 1), 0)


class ProgressStore:
    """Keeps the progress of one source."""

    def __init__(self, redis: Redis, source: Source) -> None:
        self._redis = redis
        self._key = keys.erp_source(home(source))

    async def read(self) -> Progress:
        """Return what is kept; what never was has its defaults."""
        found: Mapping[Any, Any] = await self._redis.hgetall(self._key)
        texts = {name.decode(): value.decode() for name, value in found.items()}
        fields: dict[str, Any] = {name: texts[name] for name in asdict(Progress()) if name in texts}
        for name in ("generation", "count"):
            if name in fields:
                fields[name] = int(fields[name])
        if "made" in fields:
            fields["made"] = fields["made"] == "1"
        return Progress(**fields)

    async def write(self, progress: Progress) -> None:
        """Keep what is known now."""
        texts: dict[Any, Any] = {
            name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in asdict(progress).items()
        }
        await self._redis.hset(self._key, mapping=texts)
