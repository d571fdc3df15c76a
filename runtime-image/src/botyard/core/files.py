"""Files of messages: kept beside the events that refer to them, bounded in size, number and time.

A file is written in pieces, so that nobody has to hold it whole, and becomes readable with its last piece. What a
message carries is its reference.
"""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import ids, keys
from botyard.core.address import BotAddress
from botyard.core.errors import FilesFull
from botyard.core.reply import text
from botyard.core.scripts import Scripts

PIECE_BYTES = 256 * 1024
"""Files are written and read in pieces of this size."""
MAX_BYTES = 16 * 1024 * 1024
"""Of one file, and of all files of one message: a worker gets them in one frame, as base64."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Bounds of what is kept."""

    file_bytes: int = MAX_BYTES
    """Of one file; never more than MAX_BYTES."""
    bot_bytes: int = 256 * 1024 * 1024
    """Of all files of one bot."""
    seconds: int = 7 * 86_400
    """How long a file is kept after its upload, and after the last message that refers to it."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is kept."""

    id: str
    bot: str
    """`namespace/name`."""
    user: str
    name: str
    type: str
    size: int
    """Bytes."""
    sha256: str


class Files:
    """Keeps files on one Redis."""

    def __init__(self, redis: Redis, *, limits: FileLimits | None = None) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self.limits = limits or FileLimits()

    async def write(
        self, bot: BotAddress, *, user: str, name: str, media_type: str, size: int, content: AsyncIterable[bytes]
    ) -> StoredFile:
        """Keep a file; nothing is left of it when this raises.

        Args:
            bot: The bot that it is for.
            user: Whose it is.
            name: File name that people see.
            media_type: Media type.
            size: Bytes that `content` has; room is set aside for them first.
            content: The file.

        Raises:
            FilesFull: The bot's files take all the room there is.
            ValueError: `content` has another size.
        """
        file = ids.new_file()
        await self._reserve(bot, file, size)
        digest, written, piece = hashlib.sha256(), 0, bytearray()
        try:
            async for chunk in content:
                digest.update(chunk)
                written += len(chunk)
                if written > size:
                    raise ValueError(f"the file has more than the {size} bytes that were declared")
                piece += chunk
                if len(piece) >= PIECE_BYTES:
                    await self._put(file, written - len(piece), bytes(piece))
                    piece.clear()
            if written != size:
                raise ValueError(f"the file has {written} bytes, not the {size} that were declared")
            await self._put(file, written - len(piece), bytes(piece))
            stored = StoredFile(file, str(bot), user, name, media_type, size, digest.hexdigest())
            await self._describe(stored)
        except BaseException:
            await self.delete(bot, file, size)
            raise
        return stored

    async def find(self, file: str) -> StoredFile | None:
        """Return a file's description; None when there is none, or no more."""
        found: Any = await self._redis.hgetall(keys.file(file))
        if b"size" not in found:
            return None
        told = {text(name): text(value) for name, value in found.items()}
        return StoredFile(
            file, told["bot"], told["user"], told["name"], told["type"], int(told["size"]), told["sha256"]
        )

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yield the content in pieces.

        Raises:
            LookupError: It expired meanwhile.
        """
        for start in range(0, file.size, PIECE_BYTES):
            end = min(start + PIECE_BYTES, file.size)
            piece: Any = await self._redis.getrange(keys.file_content(file.id), start, end - 1)
            if len(piece) != end - start:
                raise LookupError(f"file {file.id} is no longer kept")
            yield piece

    async def keep(self, bot: BotAddress, file: StoredFile) -> bool:
        """Have the file's time begin anew; False when there is no such file any more."""
        seconds = self.limits.seconds
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.expire(keys.file_content(file.id), seconds)
            pipe.expire(keys.file(file.id), seconds)
            found = await pipe.execute()
        await self._scripts.run("file_keep", keys=[keys.files(bot)], args=[f"{file.id} {file.size}", seconds * 1000])
        return bool(found[1])

    async def delete(self, bot: BotAddress, file: str, size: int) -> None:
        """Drop a file of `size` bytes and give its room back."""
        await self._redis.delete(keys.file(file), keys.file_content(file))
        await self._scripts.run("file_release", keys=[keys.files(bot), keys.files_total(bot)], args=[f"{file} {size}"])

    async def _reserve(self, bot: BotAddress, file: str, size: int) -> None:
        answer = await self._scripts.run(
            "file_reserve",
            keys=[keys.files(bot), keys.files_total(bot)],
            args=[file, size, self.limits.seconds * 1000, self.limits.bot_bytes],
        )
        if answer < 0:
            raise FilesFull(limit=self.limits.bot_bytes)

    async def _put(self, file: str, start: int, piece: bytes) -> None:
        # At its place, not appended: a command whose answer was lost is sent again.
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.setrange(keys.file_content(file), start, piece)
            pipe.expire(keys.file_content(file), self.limits.seconds)
            await pipe.execute()

    async def _describe(self, stored: StoredFile) -> None:
        fields: dict[Any, Any] = {
            "bot": stored.bot,
            "user": stored.user,
            "name": stored.name,
            "type": stored.type,
            "size": stored.size,
            "sha256": stored.sha256,
        }
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(keys.file(stored.id), mapping=fields)
            pipe.expire(keys.file(stored.id), self.limits.seconds)
            await pipe.execute()
