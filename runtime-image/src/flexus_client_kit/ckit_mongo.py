"""The personal database of a Persona, and files in it; see `botyard.loop.mongo_files`."""

from importlib import import_module
from typing import Any

from botyard.loop import mongo_files
from botyard.loop.context import RobotContext
from botyard.loop.mongo import address_of
from botyard.loop.mongo_files import MAX_FILE, MongoFile

__all__ = [
    "MAX_FILE",
    "MongoFile",
    "mongo_fetch_creds",
    "mongo_ls",
    "mongo_mv",
    "mongo_overwrite",
    "mongo_retrieve_file",
    "mongo_rm",
    "mongo_store_file",
    "personal_database",
]


async def mongo_fetch_creds(client: Any, persona_id: str) -> str:
    """Return the address of the Persona's MongoDB; see `botyard.loop.mongo.address_of`.

    Raises:
        RuntimeError: The Persona has none; the message says how to give it one.
    """
    return address_of(persona_id)


async def personal_database(rcx: RobotContext) -> Any:
    """Return the Persona's database, `<persona>_db`, of an asynchronous client of pymongo."""
    client = import_module("pymongo").AsyncMongoClient(address_of(rcx.persona.persona_id))
    return client[f"{rcx.persona.persona_id}_db"]


async def mongo_store_file(
    mongo_collection: Any, file_path: str, file_data: bytes | str, ttl: int = mongo_files.KEPT, **more: Any
) -> str:
    """Write a file that is not there yet, or over one that is, and return its path."""
    await mongo_files.store(mongo_collection, file_path, file_data, keep=ttl)
    return file_path


async def mongo_overwrite(
    mongo_collection: Any, file_path: str, file_data: bytes | str, ttl: int = mongo_files.KEPT, **more: Any
) -> str:
    """Write a file over the one that is there, and return its path."""
    await mongo_files.store(mongo_collection, file_path, file_data, keep=ttl)
    return file_path


async def mongo_retrieve_file(mongo_collection: Any, file_path: str, **more: Any) -> dict[str, Any] | None:
    """Return a file as `{path, data}`; None where there is none."""
    data = await mongo_files.retrieve(mongo_collection, file_path)
    return None if data is None else {"path": file_path, "data": data}


async def mongo_ls(
    mongo_collection: Any, path_prefix: str = "", limit: int = 1000, **more: Any
) -> list[dict[str, Any]]:
    """Return files as `{path, mon_size, mon_mtime, mon_archived}`, in the order of their paths."""
    archived = bool(more.get("include_archived"))
    return [
        {"path": file.path, "mon_size": file.size, "mon_mtime": file.changed_ts, "mon_archived": file.archived}
        for file in await mongo_files.listed(mongo_collection, path_prefix, limit=limit, archived=archived)
    ]


async def mongo_mv(mongo_collection: Any, old_path: str, new_path: str, **more: Any) -> bool:
    """Move a file to where none is."""
    return await mongo_files.move(mongo_collection, old_path, new_path)


async def mongo_rm(mongo_collection: Any, file_path: str, **more: Any) -> bool:
    """Remove a file, softly."""
    return await mongo_files.remove(mongo_collection, file_path)
