"""Files in a personal MongoDB: documents `{path, data, …}` of one collection.

Source: the file functions of the loop model's kit: 2 MiB, thirty days unless something else is said, removed softly.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_FILE = 2 * 1024 * 1024
"""Bytes of one file."""
KEPT = 30 * 86_400
"""Seconds that a file is kept where nothing else is said."""
MAX_LISTED = 1000


class MongoFileError(ValueError):
    """A file cannot be stored or found; the message names it."""


@dataclass(frozen=True)
class MongoFile:
    """One file without its content."""

    path: str
    size: int
    changed_ts: float
    archived: bool


async def store(collection: Any, path: str, data: bytes | str, *, keep: int = KEPT, replace: bool = True) -> None:
    """Write a file.

    Args:
        collection: An asynchronous collection of pymongo.
        path: Where.
        data: What; a text is kept as UTF-8.
        keep: Seconds after which it goes; 0: never.
        replace: Whether a file that is there is written over.

    Raises:
        MongoFileError: It is too large, or there.
    """
    content = data.encode() if isinstance(data, str) else bytes(data)
    if len(content) > MAX_FILE:
        raise MongoFileError(f"{path} has {len(content)} bytes; {MAX_FILE} are allowed")
    if not replace and await collection.find_one(_there(path), {"_id": 1}) is not None:
        raise MongoFileError(f"{path} exists already")
    now = time.time()
    fields = {"path": path, "data": content, "size": len(content), "mon_mtime": now, "archived": False}
    fields["mon_expires"] = now + keep if keep else None
    await collection.update_one({"path": path}, {"$set": fields, "$setOnInsert": {"mon_ctime": now}}, upsert=True)


async def retrieve(collection: Any, path: str) -> bytes | None:
    """Return a file's content; None where there is none."""
    found = await collection.find_one(_there(path))
    return None if found is None or _over(found) else bytes(found["data"])


async def listed(
    collection: Any, prefix: str = "", *, limit: int = MAX_LISTED, archived: bool = False
) -> list[MongoFile]:
    """Return the files whose paths begin with `prefix`, in the order of their paths."""
    wanted: dict[str, Any] = {"path": {"$regex": f"^{re.escape(prefix)}"}} | ({} if archived else {"archived": False})
    cursor = collection.find(wanted, {"data": 0}).sort("path", 1).limit(max(1, min(limit, MAX_LISTED)))
    found: Sequence[dict[str, Any]] = await cursor.to_list(MAX_LISTED)
    return [
        MongoFile(file["path"], int(file["size"]), float(file["mon_mtime"]), bool(file["archived"]))
        for file in found
        if not _over(file)
    ]


async def move(collection: Any, path: str, target: str) -> bool:
    """Move a file to where none is; False where there is no such file.

    Raises:
        MongoFileError: There is one at `target`.
    """
    if await collection.find_one(_there(target), {"_id": 1}) is not None:
        raise MongoFileError(f"{target} exists already")
    changed = await collection.update_one(_there(path), {"$set": {"path": target, "mon_mtime": time.time()}})
    return bool(changed.modified_count)


async def remove(collection: Any, path: str, *, for_good: bool = False) -> bool:
    """Remove a file, softly where nothing else is said; False where there is none."""
    if for_good:
        return bool((await collection.delete_one({"path": path})).deleted_count)
    changed = await collection.update_one(_there(path), {"$set": {"archived": True, "mon_mtime": time.time()}})
    return bool(changed.modified_count)


async def sweep(collection: Any) -> int:
    """Delete the files whose time is over, and return how many they were."""
    gone = await collection.delete_many({"mon_expires": {"$ne": None, "$lt": time.time()}})
    return int(gone.deleted_count)


def _there(path: str) -> dict[str, Any]:
    return {"path": path, "archived": False}


def _over(file: dict[str, Any]) -> bool:
    expires = file.get("mon_expires")
    return expires is not None and float(expires) < time.time()
