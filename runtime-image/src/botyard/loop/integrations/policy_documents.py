"""The integration `flexus_policy_document`: an expert reads and writes the workspace's documents."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from botyard.loop import documents
from botyard.loop.context import RobotContext
from botyard.loop.errors import PlatformError
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import CloudTool, FCloudtoolCall

HELP = """Documents of the workspace, which all its bots share:

op="list", args={"p": "/folder"}                       paths in a folder and below it
op="cat", args={"p": "/folder/name"}                   one document; "version" for an older one
op="versions", args={"p": "/folder/name"}              who wrote it when
op="create", args={"p": "/folder/name", "text": "…"}   where none is yet
op="overwrite", args={"p": "/folder/name", "text": "…", "expected_md5": "…"}
op="update_at_location", args={"p": "/folder/name", "update_at": "plan.steps.0.title", "text": "…"}
op="cp", args={"p": "/folder/name", "p2": "/folder/other"}; op="mv" likewise
op="rm", args={"p": "/folder/name"}
"""
TOOL = CloudTool(
    strict=False,
    name="flexus_policy_document",
    description='Read and write documents of the workspace; begin with op="help".',
    parameters={
        "type": "object",
        "properties": {
            "op": {"type": "string", "description": "What to do: help, list, cat, create, overwrite, …"},
            "args": {"type": "object", "description": "As op=help says."},
        },
        "required": ["op"],
    },
)


def integration(settings: Settings) -> Integration:
    """Return the integration."""
    del settings

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> None:
        del setup

        @rcx.on_tool_call(TOOL.name)
        async def called(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await answer(args)

    return Integration("flexus_policy_document", [TOOL], start)


async def answer(args: Mapping[str, Any]) -> str:
    """Do what a model's call asks for and return what it is told; what is refused is told, too."""
    inner = args.get("args")
    given: Mapping[str, Any] = inner if isinstance(inner, Mapping) else args
    op = str(args.get("op") or "help")
    if (do := _OPERATIONS.get(op)) is None:
        return HELP if op == "help" else f"There is no op {op!r}.\n\n{HELP}"
    try:
        return await do(given)
    except KeyError as error:
        return f"Error: args lacks {error}.\n\n{HELP}"
    except PlatformError as error:
        return f"Error: {error}"


async def _list(args: Mapping[str, Any]) -> str:
    found = await documents.listed(str(args.get("p") or "/"))
    return "\n".join(found) or "There are no documents."


async def _cat(args: Mapping[str, Any]) -> str:
    found = await documents.read(str(args["p"]), int(args.get("version") or 0))
    return f"{found.path} version={found.version} md5={found.digest}\n\n{found.content}"


async def _versions(args: Mapping[str, Any]) -> str:
    found = await documents.versions(str(args["p"]))
    return "\n".join(f"{kept.version} {kept.by} md5={kept.digest}" for kept in found) or "There are no versions."


async def _create(args: Mapping[str, Any]) -> str:
    return f"{args['p']} has version {await documents.create(str(args['p']), _text(args))}"


async def _overwrite(args: Mapping[str, Any]) -> str:
    version = await documents.write(str(args["p"]), _text(args), expected=str(args.get("expected_md5") or ""))
    return f"{args['p']} has version {version}"


async def _update(args: Mapping[str, Any]) -> str:
    value = args["text"]
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value) if _is_json(value) else value
    expected = str(args.get("expected_md5") or "")
    version = await documents.update_at(str(args["p"]), str(args["update_at"]), value, expected=expected)
    return f"{args['p']} has version {version}"


async def _copy(args: Mapping[str, Any]) -> str:
    return f"{args['p2']} has version {await documents.copy_to(str(args['p']), str(args['p2']))}"


async def _move(args: Mapping[str, Any]) -> str:
    return f"{args['p2']} has version {await documents.move(str(args['p']), str(args['p2']))}"


async def _remove(args: Mapping[str, Any]) -> str:
    await documents.remove(str(args["p"]))
    return f"{args['p']} is removed"


_OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[str]]] = {
    "list": _list,
    "cat": _cat,
    "versions": _versions,
    "create": _create,
    "overwrite": _overwrite,
    "update_at_location": _update,
    "cp": _copy,
    "mv": _move,
    "rm": _remove,
}


def _text(args: Mapping[str, Any]) -> Any:
    return args["text"] if "text" in args else args["content"]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
