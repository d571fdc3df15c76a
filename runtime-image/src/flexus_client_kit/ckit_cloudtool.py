"""Tools, calls and results, and the sets of the existing system's tools."""

import logging
from collections.abc import Mapping
from typing import Any

from botyard.loop.errors import AlreadyFakedResult, NeedsConfirmation, TransportError, WaitForSubchats
from botyard.loop.tool_sets import (
    CLOUDTOOLS_ADVANCED,
    CLOUDTOOLS_NOT_KANBAN,
    CLOUDTOOLS_QUITE_A_LOT,
    CLOUDTOOLS_SCARY_TOOLS,
    KANBAN_ADVANCED,
    KANBAN_BOSS,
    KANBAN_PUBLIC,
    KANBAN_SAFE,
    KANBAN_TRIAGE,
)
from botyard.loop.tools import CloudTool, FCloudtoolCall, ToolResult

__all__ = [
    "CLOUDTOOLS_ADVANCED",
    "CLOUDTOOLS_NOT_KANBAN",
    "CLOUDTOOLS_QUITE_A_LOT",
    "CLOUDTOOLS_SCARY_TOOLS",
    "KANBAN_ADVANCED",
    "KANBAN_BOSS",
    "KANBAN_PUBLIC",
    "KANBAN_SAFE",
    "KANBAN_TRIAGE",
    "AlreadyFakedResult",
    "CloudTool",
    "FCloudtoolCall",
    "NeedsConfirmation",
    "ToolResult",
    "WaitForSubchats",
    "gql_error_4xx_to_model_reraise_5xx",
    "sanitize_args",
    "try_best_to_find_argument",
]

log = logging.getLogger("botyard.loop.tools")


def gql_error_4xx_to_model_reraise_5xx(error: Exception, context: str = "") -> str:
    """Return what the model is told of a refusal by a service; raise what is no refusal.

    Raises:
        Exception: `error`, if it is not about what was asked for.
    """
    text = str(error)
    if not isinstance(error, TransportError) and text[:1] != "4":
        raise error
    log.info("%s: %s", context, text)
    return f"Error: {text}"


def sanitize_args(args: Any) -> tuple[dict[str, Any], str]:
    """Return the inner arguments of tools that take `{op, args}`, and what is wrong with them (empty: nothing)."""
    inner = args.get("args", {}) if isinstance(args, Mapping) else None
    if inner is None:
        inner = {}
    if not isinstance(inner, Mapping):
        return {}, "Error: args must be an object"
    return dict(inner), ""


def try_best_to_find_argument(
    args: Mapping[str, Any], args_inner: Mapping[str, Any] | None, name: str, default: Any = None
) -> Any:
    """Return an argument from where the model put it: among the inner arguments, or beside them."""
    if args_inner is not None and name in args_inner:
        return args_inner[name]
    return args.get(name, default)
