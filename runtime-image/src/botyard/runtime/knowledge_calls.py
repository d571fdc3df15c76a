"""What a turn's code may ask of its bot's uploaded documents, and the answers."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from botyard.core.address import BotAddress
from botyard.core.knowledge import MAX_VECTORS, KnowledgeStore

MAX_VECTOR_BYTES = 32 * 1024
_NAME = re.compile(r"[0-9a-f]{16,64}")


async def _collections(store: KnowledgeStore, bot: BotAddress, _: Mapping[str, Any]) -> dict[str, int]:
    return await store.collections(bot)


async def _read(store: KnowledgeStore, bot: BotAddress, args: Mapping[str, Any]) -> dict[str, Any]:
    page = await store.page(bot, str(args["collection"])[:200], str(args["after"])[:1000])
    return {"version": page.version, "documents": page.documents, "more": page.more}


async def _vectors(store: KnowledgeStore, bot: BotAddress, args: Mapping[str, Any]) -> dict[str, bytes]:
    names = list(args["names"])
    if len(names) > MAX_VECTORS:
        raise ValueError(f"{MAX_VECTORS} vectors may be read at once, not {len(names)}")
    return await store.vectors(bot, _checked(args["space"]), [_checked(name) for name in names])


async def _keep(store: KnowledgeStore, bot: BotAddress, args: Mapping[str, Any]) -> None:
    vectors = {_checked(name): bytes(value) for name, value in args["vectors"].items()}
    if len(vectors) > MAX_VECTORS or any(len(value) > MAX_VECTOR_BYTES for value in vectors.values()):
        raise ValueError(f"{MAX_VECTORS} vectors of {MAX_VECTOR_BYTES} bytes may be kept at once")
    await store.keep_vectors(bot, _checked(args["space"]), vectors)


def _checked(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{str(name)[:80]!r} is no digest")
    return name


KNOWLEDGE_CALLS: Mapping[str, Callable[[KnowledgeStore, BotAddress, Mapping[str, Any]], Awaitable[Any]]] = {
    "knowledge.collections": _collections,
    "knowledge.read": _read,
    "knowledge.vectors": _vectors,
    "knowledge.keep_vectors": _keep,
}
