"""Lasting records beside the small state of a key: threads, boards, histories.

A turn reads the ones that it needs and writes those that change, so that its cost does not grow with how many there
are. They are written by the commit of a turn of their own key and by nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import codec, keys
from botyard.core.address import BotAddress
from botyard.core.errors import CoreError
from botyard.core.reply import text
from botyard.core.scripts import Scripts

MAX_RECORD = 1024 * 1024
"""Bytes of one record as JSON."""
MAX_WRITE = 8 * 1024 * 1024
"""Bytes of all records that one turn writes."""
MAX_WRITTEN = 1000
"""Records that one turn writes or removes."""
MAX_RECORDS = 50_000
"""Records of one key."""
MAX_PAGE = 1000
"""Records that one read answers."""
PAGE_BYTES = 8 * 1024 * 1024
"""Stored bytes after which a page ends, with one record at least."""
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class RecordsFull(CoreError):
    """The key holds as many records as it may; nothing was written."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records to read, in the order of their names."""

    names: tuple[str, ...] = ()
    """Exactly these, as far as they exist; empty: by the rest."""
    prefix: str = ""
    after: str = ""
    """Only those behind this name in the order of reading; empty: from the beginning."""
    limit: int = 100
    newest_first: bool = False
    """From the last name to the first."""

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> "Selection":
        """Return the selection that somebody outside asks for.

        Raises:
            ValueError: It is none.
        """
        names = tuple(str(name) for name in args.get("names") or ())
        selection = cls(
            names=names,
            prefix=str(args.get("prefix") or ""),
            after=str(args.get("after") or ""),
            limit=int(args.get("limit", 100)),
            newest_first=bool(args.get("newest_first")),
        )
        if len(names) > MAX_PAGE or not 1 <= selection.limit <= MAX_PAGE:
            raise ValueError(f"1 to {MAX_PAGE} records can be read at a time")
        if not all(_NAME.fullmatch(name) for name in names):
            raise ValueError("a record's name has 1 to 200 characters and no control characters")
        return selection

    def of_all(self, records: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is selected of `records`, for hosts that keep them in memory."""
        if self.names:
            return {name: records[name] for name in self.names if name in records}
        found = sorted((name for name in records if name.startswith(self.prefix)), key=str.encode)
        if self.newest_first:
            found.reverse()
        if self.after:
            last = self.after.encode()
            found = [name for name in found if (name.encode() < last if self.newest_first else name.encode() > last)]
        return {name: records[name] for name in found[: self.limit]}

    def bounds(self) -> tuple[bytes, bytes]:
        """Return the least and the greatest name, as ranges of Redis have them."""
        prefix, after = self.prefix.encode(), self.after.encode()
        # No UTF-8 text holds the byte 255.
        low, high = b"[" + prefix, b"(" + prefix + b"\xff"
        if after and self.newest_first and after < prefix + b"\xff":
            high = b"(" + after
        elif after and not self.newest_first and after >= prefix:
            low = b"(" + after
        return low, high


class Records:
    """Reads the records of all bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._scripts = Scripts(redis)

    async def read(self, bot: BotAddress, key: str, selection: Selection) -> dict[str, Any]:
        """Return records by name, in order; fewer than asked for only at the end, or where a page grows too large.

        The next page is what follows the last name; an empty one is the end.

        Raises:
            ValueError: A stored record cannot be read.
        """
        partition = bot.partition(key)
        low, high = selection.bounds()
        flat = await self._scripts.run(
            "records_read",
            keys=[keys.records(partition, key), keys.record_names(partition, key)],
            args=[
                int(selection.newest_first),
                low,
                high,
                selection.limit,
                PAGE_BYTES,
                *selection.names,
            ],
        )
        return {text(flat[index]): codec.decode_value(flat[index + 1]) for index in range(0, len(flat), 2)}


def excess(records: Mapping[str, Any]) -> str:
    """Return why a turn may not write `records`; empty when it may.

    Raises:
        TypeError, ValueError: JSON cannot express one.
    """
    if len(records) > MAX_WRITTEN:
        return f"a turn may write {MAX_WRITTEN} records; this one wrote {len(records)}"
    total = 0
    for name, value in records.items():
        if not _NAME.fullmatch(name):
            return f"a record's name has 1 to 200 characters and no control characters: {name[:60]!r}"
        size = codec.value_size(value)
        total += size
        if size > MAX_RECORD:
            return f"record {name[:60]!r} has {size} bytes as JSON; {MAX_RECORD} are allowed"
    return f"records of {total} bytes in one turn; {MAX_WRITE} are allowed" if total > MAX_WRITE else ""
