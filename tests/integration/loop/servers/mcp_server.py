"""An MCP server with a few tools, over standard input and output, or over HTTP with a port as argument."""

import os
import sys

from mcp.server.mcpserver import Image, MCPServer

server = MCPServer("shelf")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def environment() -> str:
    """Tell what of the bot's environment is here."""
    return os.environ.get("PAYMENT_KEY", "nothing")


@server.tool()
def picture() -> Image:
    """Show a picture."""
    return Image(data=b"\x89PNG", format="png")


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("the shelf is empty")


@server.tool()
def end() -> str:
    """End the server."""
    os._exit(3)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
