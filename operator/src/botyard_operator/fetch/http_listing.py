"""What refs of a remote name now, asked over HTTP by the operator itself: no process, one small request.

Nearly all looks find nothing new, and a git process for each costs ten times what asking does. This asks as git does,
in version 2 of its protocol, with the same credentials to the same origin, the same authorities and proxy, following no
redirect and within the same limits; foreign bytes meet nothing but `packets`. Whatever is not a clean answer is None:
git then asks in its process, and its words are what is told.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Collection
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from botyard_operator.fetch.addresses import proxy_of
from botyard_operator.fetch.environment import LOW_SPEED_SECONDS, authorization
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.packets import Capabilities, ProtocolError, ask_for_refs, read_capabilities, read_refs
from botyard_operator.fetch.request import Credentials
from botyard_operator.fetch.url import GitUrl, check_host

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_BLOCK = 1 << 16
_CONNECTIONS = 32
_KEEP_ALIVE_SECONDS = 20.0
_AUTHORITIES = 128
_REMOTES = 10_000
_RESULT = "application/x-git-upload-pack-result"
_HEADERS = {"User-Agent": "git/botyard", "Git-Protocol": "version=2"}
_POST = {"Content-Type": "application/x-git-upload-pack-request", "Accept": _RESULT}


class _NoAnswer(Exception):
    """The server did not answer as one that speaks git does."""


class _Resolver(ThreadedResolver):
    """Resolves names, but not to where the cloud tells its machines their secrets."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        for address in found:
            check_host(address["host"], host)
        return found


class HttpRefLister:
    """Lists refs of remotes over connections that are kept for a while."""

    def __init__(self) -> None:
        """Prepare; nothing is contacted yet."""
        self._session: aiohttp.ClientSession | None = None
        self._authorities: dict[str, ssl.SSLContext] = {}
        self._capabilities: dict[str, Capabilities] = {}

    async def list(
        self, url: GitUrl, refs: Collection[str], *, credentials: Credentials, timeout_seconds: float
    ) -> dict[str, str] | None:
        """Ask a remote what refs name.

        Args:
            url: the remote.
            refs: full names of refs, or patterns that end with `*`.
            credentials: for the remote's own origin.
            timeout_seconds: wall-clock time.

        Returns:
            The object id of each ref that exists; an annotated tag's commit is under its name and `^{}`. None: git has
            to ask.

        Raises:
            FetchError: TimedOut, or UrlInvalid where a name leads to the machine's own services.
        """
        proxy = proxy_of(url, credentials)
        if url.protocol not in {"http", "https"} or (proxy and not proxy.startswith("http://")):
            return None
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._list(url, refs, credentials, proxy)
        except TimeoutError:
            raise FetchError(
                Reason.TIMED_OUT,
                f"{url.clean} did not say within {timeout_seconds:g} s what its refs name; "
                "check the network to the server or raise spec.timeout.",
            ) from None
        except (_NoAnswer, ProtocolError, aiohttp.ClientError, ssl.SSLError, OSError, ValueError):
            self._capabilities.pop(_remote(url, credentials), None)
            return None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _list(self, url: GitUrl, refs: Collection[str], credentials: Credentials, proxy: str) -> dict[str, str]:
        header = authorization(credentials)
        options: dict[str, Any] = {
            "headers": {**_HEADERS, **({"Authorization": header} if header else {})},
            "proxy": proxy or None,
            "allow_redirects": False,
        }
        if url.protocol == "https":
            options["ssl"] = self._trusting(credentials.ca_certificate)
        remote = _remote(url, credentials)
        capabilities = self._capabilities.get(remote)
        if capabilities is None:
            query = f"{url.clean}/info/refs?service=git-upload-pack"
            capabilities = read_capabilities(await self._ask("GET", query, "", options))
            self._capabilities[remote] = capabilities
            if len(self._capabilities) > _REMOTES:
                del self._capabilities[next(iter(self._capabilities))]
        body = ask_for_refs({ref.removesuffix("*") for ref in refs}, capabilities)
        options["headers"] |= _POST
        found = read_refs(await self._ask("POST", f"{url.clean}/git-upload-pack", _RESULT, options | {"data": body}))
        return {name: oid for name, oid in found.items() if _is_wanted(name.removesuffix("^{}"), refs)}

    async def _ask(self, method: str, address: str, content_type: str, options: dict[str, Any]) -> bytes:
        try:
            return await self._ask_once(method, address, content_type, options)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # A kept connection that the server has ended meanwhile; asking twice does no harm.
            return await self._ask_once(method, address, content_type, options)

    async def _ask_once(self, method: str, address: str, content_type: str, options: dict[str, Any]) -> bytes:
        async with self._client().request(method, address, **options) as answer:
            if answer.status != 200 or (content_type and answer.content_type != content_type):
                raise _NoAnswer
            body = bytearray()
            while block := await answer.content.read(_BLOCK):
                body += block
                if len(body) > _MAX_ANSWER_BYTES:
                    raise _NoAnswer
            return bytes(body)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS, resolver=_Resolver()
            )
            # Nothing of the machine (no .netrc), nothing that one remote could leave behind for another (no cookies).
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_read=LOW_SPEED_SECONDS),
                trust_env=False,
            )
        return self._session

    def _trusting(self, authorities: str) -> ssl.SSLContext:
        """Return the context that trusts these certificates; reading the system's takes longer than a look."""
        key = hashlib.sha256(authorities.encode()).hexdigest()
        context = self._authorities.pop(key, None)
        if context is None:
            context = ssl.create_default_context(cadata=authorities or None)
        self._authorities[key] = context
        if len(self._authorities) > _AUTHORITIES:
            del self._authorities[next(iter(self._authorities))]
        return context


def _remote(url: GitUrl, credentials: Credentials) -> str:
    return hashlib.sha256(f"{url.clean}\0{credentials.model_dump_json()}".encode()).hexdigest()


def _is_wanted(name: str, refs: Collection[str]) -> bool:
    return name in refs or any(ref.endswith("*") and name.startswith(ref[:-1]) for ref in refs)
