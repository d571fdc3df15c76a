"""The integration `mcp`: an expert uses the tools of MCP servers that its bot names: `mcp[files, search]`.

For each there is one tool `mcp_<name>`: `op=help` lists what the server offers, `op=call` calls it. The setup says
where it is: `mcp_<name>_url` for HTTP, or `mcp_<name>_command` for a program that speaks over standard input and
output. A server that is not there, ends or does not answer is told to the model; the next call connects anew.
"""

import asyncio
import contextlib
import json
import logging
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import CloudTool, FCloudtoolCall, ToolResult

log = logging.getLogger("botyard.loop.mcp")

CALL_SECONDS = 120.0
CONNECT_SECONDS = 30.0
MAX_TEXT = 200_000


def tool(name: str) -> CloudTool:
    """Return the tool of an MCP server."""
    return CloudTool(
        strict=False,
        name=f"mcp_{name}",
        description=f"Tools of the MCP server {name}; begin with op=help.",
        parameters={
            "type": "object",
            "properties": {
                "op": {"type": "string", "enum": ["help", "call"]},
                "tool": {"type": "string", "description": "For op=call: its name, as op=help lists it."},
                "args": {"type": "object", "description": "For op=call: its arguments."},
            },
            "required": ["op"],
        },
    )


def setup_schema(names: tuple[str, ...] | list[str]) -> list[dict[str, Any]]:
    """Return the setup's keys for some servers."""
    keys = (
        ("url", "Address, such as https://mcp.example.com/mcp"),
        ("command", "Or the command that starts it, such as `npx server --read-only`"),
        ("token", "Bearer token for the address; empty: none"),
    )
    return [
        {
            "bs_name": f"mcp_{name}_{key}",
            "bs_type": "string_long",
            "bs_default": "",
            "bs_group": f"mcp {name}",
            "bs_description": description,
        }
        for name in names
        for key, description in keys
    ]


def integration(settings: Settings) -> Integration:
    """Return the integration; the parts of its name are servers."""
    names = settings.parts

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> dict[str, "McpServer"]:
        return begin(names, rcx, setup)

    return Integration("mcp", [tool(name) for name in names], start, setup=setup_schema(names))


def begin(names: tuple[str, ...] | list[str], rcx: RobotContext, setup: Mapping[str, Any]) -> dict[str, "McpServer"]:
    """Register handlers for the tools of some servers, and return the servers by name."""
    servers = {}
    for name in names:
        servers[name] = server = McpServer(
            name,
            url=str(setup.get(f"mcp_{name}_url") or ""),
            command=str(setup.get(f"mcp_{name}_command") or ""),
            token=str(setup.get(f"mcp_{name}_token") or ""),
            folder=rcx.workdir,
        )
        rcx.on_tool_call(f"mcp_{name}")(server.called_by_model)
    return servers


@dataclass
class _Request:
    tool: str
    """Empty: list the tools."""
    args: dict[str, Any]
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class McpServer:
    """One server; its connection lives in a task of its own and ends with the loop that it was begun in."""

    def __init__(self, name: str, *, url: str = "", command: str = "", token: str = "", folder: str = "") -> None:
        """Prepare; the connection is made by the first call.

        Args:
            name: What the bot calls it.
            url: Its address; empty: `command` starts it.
            command: With arguments, as a shell would write them; no shell is used.
            token: Sent to `url` as a bearer token.
            folder: Where `command` runs; empty: where this process does.
        """
        self._name = name
        self._url = url
        self._command = command
        self._token = token
        self._folder = folder
        self._requests: asyncio.Queue[_Request] = asyncio.Queue(100)
        self._serving: asyncio.Task[None] | None = None

    async def called_by_model(self, toolcall: FCloudtoolCall | None, args: Mapping[str, Any]) -> str | ToolResult:
        """Return what a model is told of its call."""
        op = str(args.get("op") or "help")
        if op not in ("help", "call"):
            return f"Error: there is no op {op!r}; write help or call."
        wanted = str(args.get("tool") or "")
        if op == "call" and not wanted:
            return "Error: say which tool to call; op=help lists them."
        inner = args.get("args")
        try:
            answer = await self.ask(wanted if op == "call" else "", dict(inner) if isinstance(inner, Mapping) else {})
        except (ConnectionError, TimeoutError) as error:
            return f"Error: {error}"
        return _listed(answer) if op == "help" else _result(answer)

    async def ask(self, tool: str = "", args: dict[str, Any] | None = None) -> Any:
        """Call a tool of the server, or list its tools; returns what the client of the protocol returns.

        Raises:
            ConnectionError: It is not declared, cannot be reached, or refuses.
            TimeoutError: It does not answer.
        """
        if not (self._url or self._command):
            raise ConnectionError(
                f"mcp_{self._name} is not connected: the setup needs mcp_{self._name}_url or mcp_{self._name}_command"
            )
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve(), name=f"mcp {self._name}")
        request = _Request(tool, args or {})
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._requests.put(request)
                return await request.answer
        except TimeoutError:
            await self.close()
            raise TimeoutError(f"mcp_{self._name} did not answer within {CALL_SECONDS:g} s") from None

    async def close(self) -> None:
        """End the connection, and the program that was started."""
        serving, self._serving = self._serving, None
        if serving is not None and not serving.done():
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await serving
        self._refuse(ConnectionError(f"mcp_{self._name} was closed"))

    async def _serve(self) -> None:
        """Answer requests over one connection until it breaks."""
        request: _Request | None = None
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT_SECONDS):
                    client = await stack.enter_async_context(self._client())
                while True:
                    request = await self._requests.get()
                    if not request.answer.cancelled():
                        await self._answer(client, request)
                    request = None
        except Exception as error:
            log.warning("mcp server %s: %r", self._name, error)
            failure = ConnectionError(f"mcp_{self._name} cannot be used: {_innermost(error)}")
            if request is not None and not request.answer.done():
                request.answer.set_exception(failure)
            self._refuse(failure)

    async def _answer(self, client: Any, request: _Request) -> None:
        import mcp

        try:
            result = await (client.call_tool(request.tool, request.args) if request.tool else client.list_tools())
        except mcp.MCPError as error:
            if error.code == mcp.types.CONNECTION_CLOSED:
                raise
            # The server refuses this call; the connection is sound.
            if not request.answer.done():
                request.answer.set_exception(ConnectionError(f"mcp_{self._name} refuses: {error}"))
            return
        if not request.answer.done():
            request.answer.set_result(result)

    def _client(self) -> Any:
        import mcp

        if self._command:
            command, *arguments = shlex.split(self._command)
            # The bot's credentials are not the server's.
            environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
            return mcp.Client(
                mcp.StdioServerParameters(command=command, args=arguments, env=environment, cwd=self._folder or None)
            )
        if not self._token:
            return mcp.Client(self._url)
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        headers = {"Authorization": f"Bearer {self._token}"}
        return mcp.Client(streamable_http_client(self._url, http_client=httpx2.AsyncClient(headers=headers)))

    def _refuse(self, error: Exception) -> None:
        while not self._requests.empty():
            waiting = self._requests.get_nowait()
            if not waiting.answer.done():
                waiting.answer.set_exception(error)


def _listed(answer: Any) -> str:
    lines = [
        f"{each.name}: {each.description or ''}\n  arguments: {json.dumps(each.input_schema, ensure_ascii=False)}"
        for each in answer.tools
    ]
    return ("\n".join(lines) or "The server offers no tools.")[:MAX_TEXT]


def _result(answer: Any) -> str | ToolResult:
    """Return a call's result: its texts, and its pictures as parts."""
    texts, parts = [], []
    for content in answer.content:
        if content.type == "text":
            texts.append(content.text)
        elif content.type in ("image", "audio"):
            parts.append({"m_type": content.mime_type, "m_content": content.data})
        else:
            texts.append(f"[{content.type}]")
    text = "\n".join(texts)[:MAX_TEXT]
    if answer.is_error:
        return f"Error: {text}"
    return ToolResult(text, multimodal=parts) if parts else text


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:500] if str(error) else type(error).__name__
