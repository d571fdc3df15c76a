"""Documents that were uploaded for a bot to answer from, and the embeddings of their passages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.errors import KnowledgeFull
from botyard.core.reply import text
from botyard.core.scripts import Scripts

MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_BOT_BYTES = 64 * 1024 * 1024
"""Of all uploaded documents of one bot."""
MAX_DOCUMENTS = 10_000
"""Of one bot."""
PAGE_BYTES = 4 * 1024 * 1024
"""A page of documents ends when it has as many."""
MAX_VECTORS = 1_000
"""Read or written at once."""
MAX_KEPT_VECTORS = 50_000
"""Of one bot in one space."""
VECTORS_KEPT_SECONDS = 30 * 86_400
"""How long embeddings are kept that nobody asks for."""
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents of a collection, by name."""

    version: int
    """Number of the collection's last change; 0 where there is no such collection."""
    documents: dict[str, str]
    more: bool
    """There are documents behind the last name."""


class KnowledgeStore:
    """The uploaded documents of bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def put(self, bot: BotAddress, collection: str, name: str, content: str) -> int:
        """Keep a document, in the place of one of the same name; return the collection's version.

        Raises:
            KnowledgeFull: The bot's documents take all the room there is, or are too many.
        """
        size = len(content.encode())
        limits = [size, MAX_BOT_BYTES, MAX_DOCUMENTS]
        answer = await self._scripts.run_to_disk(
            "knowledge_put", keys=self._keys(bot, collection), args=[collection, name, content, *limits]
        )
        if int(answer) < 0:
            full = f"{MAX_BOT_BYTES} bytes" if int(answer) == -1 else f"{MAX_DOCUMENTS} documents"
            raise KnowledgeFull(f"The documents of {bot} take the {full} that they may.")
        return int(answer)

    async def delete(self, bot: BotAddress, collection: str, name: str) -> bool:
        """Drop a document; return whether there was one."""
        keys_ = self._keys(bot, collection)
        return bool(await self._scripts.run_to_disk("knowledge_delete", keys=keys_, args=[collection, name]))

    async def collections(self, bot: BotAddress) -> dict[str, int]:
        """Return the collections with uploaded documents, each with the number of its last change."""
        found = await self._redis.hgetall(keys.knowledge(bot))
        return {text(name): int(version) for name, version in found.items()}

    async def sizes(self, bot: BotAddress, collection: str) -> dict[str, int]:
        """Return the bytes of each document of a collection, by name."""
        found = await self._redis.hgetall(keys.knowledge_sizes(bot))
        prefix = f"{collection}/"
        sizes = {text(field): int(size) for field, size in found.items()}
        return {field.removeprefix(prefix): size for field, size in sorted(sizes.items()) if field.startswith(prefix)}

    async def page(self, bot: BotAddress, collection: str, after: str = "") -> Page:
        """Return documents in the order of their names.

        Args:
            bot: Whose.
            collection: Its name.
            after: Only documents behind this one.
        """
        version = int(await self._redis.hget(keys.knowledge(bot), collection) or 0)
        key = keys.knowledge_documents(bot, collection)
        names = sorted(name for name in map(text, await self._redis.hkeys(key)) if name > after)
        found: dict[str, str] = {}
        size = 0
        for start in range(0, len(names), _AT_ONCE):
            if size >= PAGE_BYTES:
                return Page(version, found, more=True)
            chunk = names[start : start + _AT_ONCE]
            for name, content in zip(chunk, await self._redis.hmget(key, chunk), strict=True):
                if content is not None:
                    found[name] = text(content)
                    size += len(content)
        return Page(version, found, more=False)

    async def vectors(self, bot: BotAddress, space: str, names: Sequence[str]) -> dict[str, bytes]:
        """Return the embeddings that are kept, by the digests of their texts."""
        if not names:
            return {}
        key = keys.vectors(bot, space)
        found = await self._redis.hmget(key, list(names[:MAX_VECTORS]))
        await self._redis.expire(key, VECTORS_KEPT_SECONDS)
        return {name: value for name, value in zip(names, found, strict=False) if isinstance(value, bytes)}

    async def keep_vectors(self, bot: BotAddress, space: str, vectors: Mapping[str, bytes]) -> None:
        """Keep embeddings by the digests of their texts."""
        if not vectors:
            return
        key = keys.vectors(bot, space)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hlen(key)
            pipe.hset(key, mapping=dict(list(vectors.items())[:MAX_VECTORS]))
            pipe.expire(key, VECTORS_KEPT_SECONDS)
            kept, *_ = await pipe.execute()
        if kept > MAX_KEPT_VECTORS:
            await self._redis.delete(key)  # Those that are asked for are made again.

    def _keys(self, bot: BotAddress, collection: str) -> list[str]:
        return [keys.knowledge(bot), keys.knowledge_documents(bot, collection), keys.knowledge_sizes(bot)]
