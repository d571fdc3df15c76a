"""Servers of the Model Context Protocol whose tools an expert uses; see `botyard.loop.integrations.mcp`."""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.integrations.mcp import McpServer, begin, setup_schema, tool
from botyard.loop.tools import CloudTool

__all__ = ["McpServer", "mcp_launch", "mcp_setup_schema", "mcp_tools"]


def mcp_tools(servers: Sequence[str]) -> list[CloudTool]:
    """Return the tools of some servers, by their names."""
    return [tool(name) for name in servers]


def mcp_setup_schema(servers: Sequence[str]) -> list[dict[str, Any]]:
    """Return the setup's keys for some servers."""
    return setup_schema(list(servers))


async def mcp_launch(servers: Sequence[str], rcx: RobotContext, setup: Mapping[str, Any]) -> dict[str, McpServer]:
    """Give the tools of some servers their handlers; the servers are reached with the first call of each."""
    return begin(list(servers), rcx, setup)
