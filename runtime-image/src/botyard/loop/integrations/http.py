"""The integration `http`: an expert calls HTTP services that its bot names: `http[api.example.com, …]`.

Only those hosts are called, so a model cannot be talked into calling others; the setup's `http_hosts` adds some and
`http_headers` are sent along, which the model does not see.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import CloudTool, FCloudtoolCall

HOSTS = "http_hosts"
HEADERS = "http_headers"
SECONDS = 30.0
MAX_BYTES = 200_000
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
TOOL = CloudTool(
    strict=False,
    name="http",
    description="Call an HTTP service that this bot may use. The answer has status, headers and body.",
    parameters={
        "type": "object",
        "properties": {
            "method": {"type": "string", "enum": list(METHODS)},
            "url": {"type": "string"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "body": {"description": "A text, or anything else as JSON."},
        },
        "required": ["url"],
    },
)
SETUP = [
    {
        "bs_name": HOSTS,
        "bs_type": "string_long",
        "bs_default": "",
        "bs_group": "http",
        "bs_description": "Hosts that may be called, separated by commas; host:port for other ports than 443.",
    },
    {
        "bs_name": HEADERS,
        "bs_type": "string_multiline",
        "bs_default": "",
        "bs_group": "http",
        "bs_description": "Headers that are sent along, one `Name: value` in a line.",
    },
]


def integration(settings: Settings) -> Integration:
    """Return the integration; the parts of its name are hosts."""

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> Http:
        more = [host.strip() for host in str(setup.get(HOSTS) or "").split(",")]
        made = Http([*settings.parts, *filter(None, more)], _headers(str(setup.get(HEADERS) or "")))

        @rcx.on_tool_call(TOOL.name)
        async def called(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await made.called_by_model(toolcall, args)

        return made

    return Integration("http", [TOOL], start, setup=list(SETUP))


class Http:
    """Calls the services of some hosts."""

    def __init__(self, hosts: list[str], headers: Mapping[str, str] | None = None) -> None:
        """Prepare.

        Args:
            hosts: `host` (https, 443) or `host:port` (http or https).
            headers: Sent along with each call.
        """
        self._hosts = {host.lower() for host in hosts}
        self._headers = dict(headers or {})

    async def called_by_model(self, toolcall: Any, args: Mapping[str, Any] | None) -> str:
        """Return what a model is told of its call."""
        given = args or {}
        method, url = str(given.get("method") or "GET").upper(), str(given.get("url") or "")
        if method not in METHODS:
            return f"Error: there is no method {method!r}."
        if refused := self._refused(url):
            return f"Error: {refused}"
        body = given.get("body")
        headers = {str(name): str(value) for name, value in dict(given.get("headers") or {}).items()} | self._headers
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        if data is not None and not isinstance(body, str):
            headers.setdefault("Content-Type", "application/json")
        try:
            return await self._call(method, url, headers, data)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            said = (
                "no answer within its time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            )
            return f"Error: {urlsplit(url).hostname} cannot be called: {said}"

    async def _call(self, method: str, url: str, headers: Mapping[str, str], data: str | None) -> str:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        # A redirection may lead to a host that is not allowed: the model is shown it instead.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.request(method, url, headers=headers, data=data, allow_redirects=False) as answer,
        ):
            content = b""
            async for block in answer.content.iter_any():
                content += block
                if len(content) > MAX_BYTES:
                    break
            told = {
                "status": answer.status,
                "headers": {
                    name: value
                    for name, value in answer.headers.items()
                    if name.lower() in ("content-type", "location", "retry-after", "etag", "last-modified")
                },
                "body": content[:MAX_BYTES].decode(answer.charset or "utf-8", "replace"),
            }
            if len(content) > MAX_BYTES:
                told["left_out"] = f"the body is longer than {MAX_BYTES} bytes"
            return json.dumps(told, ensure_ascii=False)

    def _refused(self, url: str) -> str:
        """Return why an address may not be called; empty: it may."""
        if not self._hosts:
            return f"http is not connected: name hosts in the bot's code (http[host]) or in the setup's {HOSTS}"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return f"{url!r} is no address"
        host = (parts.hostname or "").lower()
        if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
            return f"{url!r} is no address of http or https without a user"
        plain = parts.scheme == "https" and port in (None, 443) and host in self._hosts
        if plain or f"{host}:{port or {'http': 80, 'https': 443}[parts.scheme]}" in self._hosts:
            return ""
        return f"this bot may not call {parts.netloc}; it may call {', '.join(sorted(self._hosts))}"


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
