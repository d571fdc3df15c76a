"""The package index as a build sees it: through the operator, which alone knows the index's credentials.

A build pod runs `setup.py` of strangers. It reaches nothing but this server, and of the index nothing but what the
index itself links to: pages of projects, whose links are signed for this one build, and the files behind these links.

`GET /v1/builds/<id>/index/simple/<project>/` and `…/index/files/<link>/<name>`, by basic authentication.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import json
import logging
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import aiohttp
from aiohttp import hdrs, web

from botyard_operator.artifacts.builds import IndexAccess, LiveBuilds
from botyard_operator.artifacts.tokens import equal, index_token, link_token

logger = logging.getLogger(__name__)

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{SIMPLE_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_MAX_PAGE = 32 * 1024 * 1024
_MAX_FILE = 4 * 1024 * 1024 * 1024
_BLOCK = 1 << 18
_REDIRECTS = 5
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_PASSED_ON = (hdrs.RANGE, hdrs.IF_RANGE)
_PASSED_BACK = (hdrs.CONTENT_LENGTH, hdrs.CONTENT_RANGE, hdrs.ACCEPT_RANGES, hdrs.ETAG, hdrs.CONTENT_TYPE)


class PackageIndex:
    """Reads package indexes on behalf of builds."""

    def __init__(self, live: LiveBuilds, *, key: bytes, allow_loopback: bool = False, max_downloads: int = 32) -> None:
        """Prepare.

        Args:
            live: The builds that run; others get nothing.
            key: The installation's artifact key.
            allow_loopback: Whether an index may be on this machine (for tests and laptops).
            max_downloads: Requests at once; more wait.
        """
        self._live = live
        self._key = key
        self._allow_loopback = allow_loopback
        self._slots = asyncio.Semaphore(max_downloads)

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/v1/builds/{build}/index/simple/{project}/", self._page, allow_head=False)
        app.router.add_get("/v1/builds/{build}/index/files/{link}/{name}", self._file, allow_head=True)
        app.cleanup_ctx.append(self._session_of)

    async def _session_of(self, app: web.Application) -> AsyncIterator[None]:
        resolver = _Resolver(self)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, limit=64),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60),
            trust_env=True,
            auto_decompress=True,
        ) as session:
            self._session = session
            yield

    def refuses(self, address: str) -> bool:
        """Whether an address is one that no index has: the node's metadata service, this machine, no host at all."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if ip.is_loopback:
            return not self._allow_loopback
        return ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved

    async def _page(self, request: web.Request) -> web.StreamResponse:
        build, index = self._authorised(request)
        project = request.match_info["project"]
        if not _PROJECT.fullmatch(project):
            raise web.HTTPNotFound(text="no name of a project\n")
        url = f"{index.url.rstrip('/')}/{project}/"
        async with self._slots, self._get(url, index, {hdrs.ACCEPT: _ACCEPT}) as answer:
            if answer.status != 200:
                raise _refusal(answer.status, "the package index")
            body = await answer.content.read(_MAX_PAGE + 1)
            while (more := await answer.content.read(_MAX_PAGE)) and len(body) <= _MAX_PAGE:
                body += more
            if len(body) > _MAX_PAGE:
                raise web.HTTPBadGateway(text=f"the index's page of {project} has more than {_MAX_PAGE} bytes\n")
            is_json = "json" in answer.content_type
            base = str(answer.url)
        try:
            files = await asyncio.to_thread(_files, body, base, is_json=is_json)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise web.HTTPBadGateway(text=f"the package index sent no page of a project: {error}\n") from error
        for file in files:
            url = file["url"]
            packed = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
            name = file["filename"]
            file["url"] = f"../../files/{packed}.{link_token(self._key, build, url)}/{name}"
        page = {"meta": {"api-version": "1.0"}, "name": project, "files": files}
        return web.Response(body=json.dumps(page).encode(), content_type=SIMPLE_JSON)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        build, index = self._authorised(request)
        packed, _, mark = request.match_info["link"].rpartition(".")
        try:
            url = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
        except (binascii.Error, ValueError):
            url = ""
        if not url or not equal(link_token(self._key, build, url), mark):
            raise web.HTTPNotFound(text="the package index links to no such file\n")
        if request.match_info["name"].endswith(".metadata"):
            url = f"{url}.metadata"
        headers: dict[str, str] = {str(name): request.headers[name] for name in _PASSED_ON if name in request.headers}
        # Sizes and ranges must be those of the file, not of a coding of it.
        headers[hdrs.ACCEPT_ENCODING] = "identity"
        async with self._slots, self._get(url, index, headers, method=request.method) as answer:
            if answer.status not in {200, 206}:
                raise _refusal(answer.status, "the package index's file")
            size = answer.content_length
            if size is not None and size > _MAX_FILE:
                raise web.HTTPBadGateway(text=f"the file has more than {_MAX_FILE} bytes\n")
            response = web.StreamResponse(status=answer.status)
            for name in _PASSED_BACK:
                if name in answer.headers:
                    response.headers[name] = answer.headers[name]
            await response.prepare(request)
            if request.method == hdrs.METH_HEAD:
                return response
            sent = 0
            async for block in answer.content.iter_chunked(_BLOCK):
                sent += len(block)
                if sent > _MAX_FILE:
                    break
                await response.write(block)
            await response.write_eof()
            return response

    @asynccontextmanager
    async def _get(
        self, url: str, index: IndexAccess, headers: dict[str, str], *, method: str = hdrs.METH_GET
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, following redirects step by step; credentials go to the index's own origin only."""
        try:
            for _ in range(_REDIRECTS):
                self._check(url)
                credentials = None
                if index.username and _origin(url) == _origin(index.url):
                    credentials = aiohttp.BasicAuth(index.username, index.password)
                async with self._session.request(
                    method, url, headers=headers, auth=credentials, allow_redirects=False
                ) as answer:
                    location = answer.headers.get(hdrs.LOCATION)
                    if answer.status not in _REDIRECT or not location:
                        yield answer
                        return
                    url = urljoin(url, location)
            raise web.HTTPBadGateway(text="the package index redirects without end\n")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error, ConnectionResetError | aiohttp.ClientConnectionResetError):
                raise
            logger.info("package index of a build: %s", error)
            raise web.HTTPBadGateway(text=f"the package index does not answer: {_words(error)}\n") from error

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise web.HTTPBadGateway(text="the package index links to something that is not http or https\n")
        try:
            refused = self.refuses(parts.hostname)
        except ValueError:
            return  # A name: its addresses are looked at when it is resolved.
        if refused:
            raise web.HTTPBadGateway(text=f"the package index leads to {parts.hostname}, which no build may reach\n")

    def _authorised(self, request: web.Request) -> tuple[str, IndexAccess]:
        build = request.match_info["build"]
        try:
            given = aiohttp.BasicAuth.decode(request.headers.get(hdrs.AUTHORIZATION, "")).password
        except ValueError:
            given = ""
        if not equal(index_token(self._key, build), given):
            raise web.HTTPUnauthorized(headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="index"'})
        live = self._live.get(build)
        if live is None or live.index is None:
            raise web.HTTPServiceUnavailable(text="this build is not expected; try again\n")
        return build, live.index


class _Resolver(aiohttp.abc.AbstractResolver):
    """Resolves names, and leaves out the addresses that no index has."""

    def __init__(self, index: PackageIndex) -> None:
        self._index = index
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if not self._index.refuses(each["host"])]
        if not allowed:
            raise OSError(None, f"{host} leads to addresses that no build may reach")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


def _files(body: bytes, base: str, *, is_json: bool) -> list[dict[str, Any]]:
    """Return the files of a project's page, as the JSON form of the simple API has them, with absolute URLs."""
    if is_json:
        found = []
        for entry in json.loads(body)["files"]:
            kept = {name: entry[name] for name in ("filename", "hashes", "requires-python", "core-metadata",
                    "dist-info-metadata", "yanked", "size", "upload-time") if entry.get(name) is not None}  # fmt: skip
            found.append({"hashes": {}, **kept, "url": urljoin(base, entry["url"])})
        return found
    page = _Page()
    page.feed(body.decode(errors="replace"))
    return [_from_anchor(attributes, urljoin(base, page.base)) for attributes in page.anchors]


def _from_anchor(attributes: dict[str, str | None], base: str) -> dict[str, Any]:
    url, fragment = urldefrag(urljoin(base, attributes["href"] or ""))
    file: dict[str, Any] = {"filename": unquote(urlsplit(url).path.rpartition("/")[2]), "url": url, "hashes": {}}
    algorithm, _, digest = fragment.partition("=")
    if digest:
        file["hashes"] = {algorithm: digest}
    if attributes.get("data-requires-python"):
        file["requires-python"] = attributes["data-requires-python"]
    if "data-yanked" in attributes:
        file["yanked"] = attributes["data-yanked"] or True
    metadata = attributes.get("data-core-metadata") or attributes.get("data-dist-info-metadata")
    if metadata:
        algorithm, _, digest = metadata.partition("=")
        file["core-metadata"] = {algorithm: digest} if digest else True
    return file


class _Page(HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Take a tag."""
        attributes = dict(attrs)
        if tag == "base":
            self.base = attributes.get("href") or ""
        elif tag == "a" and attributes.get("href"):
            self.anchors.append(attributes)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _refusal(status: int, what: str) -> web.HTTPException:
    if status == 404:
        return web.HTTPNotFound(text=f"{what} says that it does not exist\n")
    if status in {401, 403}:
        return web.HTTPForbidden(text=f"{what} refuses the credentials that it got\n")
    return web.HTTPBadGateway(text=f"{what} answers HTTP {status}\n")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
