"""The tool by which an expert keeps files in the Persona's MongoDB."""

import json
from collections.abc import Mapping
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.mongo_files import MongoFileError
from botyard.loop.tools import CloudTool
from flexus_client_kit import ckit_mongo

__all__ = ["HELP", "MONGO_STORE_TOOL", "handle_mongo_store"]

COLLECTION = "personal_mongo"
"""Of the Persona's database, where a bot names none."""
MAX_SHOWN = 50_000
"""Characters of a file that a model reads at once."""
HELP = """Files that stay:

op="list", args={"path": "prefix/"}
op="cat", args={"path": "notes.md"}                    "offset" for what follows the first characters
op="save", args={"path": "notes.md", "content": "…"}
op="mv", args={"path": "notes.md", "target": "old.md"}
op="delete", args={"path": "notes.md"}
"""
MONGO_STORE_TOOL = CloudTool(
    strict=False,
    name="mongo_store",
    description='Keep files and read them again; begin with op="help".',
    parameters={
        "type": "object",
        "properties": {
            "op": {"type": "string", "description": "help, list, cat, save, mv or delete"},
            "args": {"type": "object", "description": "As op=help says."},
        },
        "required": ["op"],
    },
)


async def handle_mongo_store(*given: Any) -> str:
    """Do what a call asks for and return what the model is told.

    Args:
        given: `(rcx, toolcall, args)`, or as it was before: `(workdir, collection, toolcall, args)`.
    """
    if len(given) == 3:
        rcx, _, args = given
        return await _answer(await _collection(rcx), args)
    _, collection, _, args = given
    return await _answer(collection, args)


async def _collection(rcx: RobotContext) -> Any:
    if rcx.personal_mongo is None:
        rcx.personal_mongo = await ckit_mongo.personal_database(rcx)
    # A database, or the one collection that the bot chose itself.
    return (
        rcx.personal_mongo[COLLECTION] if hasattr(rcx.personal_mongo, "list_collection_names") else rcx.personal_mongo
    )


async def _answer(collection: Any, args: Mapping[str, Any] | None) -> str:
    asked: Mapping[str, Any] = args or {}
    inner = asked.get("args")
    wanted: Mapping[str, Any] = inner if isinstance(inner, Mapping) else asked
    op, path = str(asked.get("op") or "help"), str(wanted.get("path") or "")
    if op in ("list", "ls"):
        found = await ckit_mongo.mongo_ls(collection, path)
        return "\n".join(f"{file['path']} {file['mon_size']} bytes" for file in found) or "There are no files."
    if op not in ("cat", "save", "mv", "delete", "rm"):
        return HELP
    if not path:
        return f"Error: args lacks 'path'.\n\n{HELP}"
    try:
        return await _one(collection, op, path, wanted)
    except MongoFileError as error:
        return f"Error: {error}"


async def _one(collection: Any, op: str, path: str, args: Mapping[str, Any]) -> str:
    if op == "save":
        content = args.get("content", "")
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        await ckit_mongo.mongo_overwrite(collection, path, text)
        return f"{path} is saved."
    if op == "mv":
        moved = await ckit_mongo.mongo_mv(collection, path, str(args.get("target") or ""))
        return f"{path} is moved." if moved else f"Error: there is no file {path}."
    if op in ("delete", "rm"):
        return (
            f"{path} is deleted." if await ckit_mongo.mongo_rm(collection, path) else f"Error: there is no file {path}."
        )
    found = await ckit_mongo.mongo_retrieve_file(collection, path)
    if found is None:
        return f"Error: there is no file {path}."
    text, offset = found["data"].decode("utf-8", "replace"), int(args.get("offset") or 0)
    return str(text[offset : offset + MAX_SHOWN])
