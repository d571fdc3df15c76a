"""Serves artifacts to runtime pods: `GET /v1/artifacts/<hex>.tar.gz` with a token bound to that one digest."""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Protocol

from aiohttp import hdrs, web

from botyard_operator.artifacts.errors import StorageError
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.artifacts.tokens import token_matches

_BLOCK = 1 << 18
_RETRY_SECONDS = "2"
_NAME = re.compile(r"(?P<hex>[0-9a-f]{64})\.tar\.gz")
_BEARER = re.compile(r"Bearer +(?P<token>[0-9A-Za-z._~+/=-]{1,256})", re.IGNORECASE)


class Endpoints(Protocol):
    """Routes of one concern."""

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""


class ArtifactServer:
    """The HTTP server in front of an `ArtifactStore`."""

    def __init__(
        self, store: ArtifactStore, *, key: bytes, max_downloads: int = 64, further: Sequence[Endpoints] = ()
    ) -> None:
        """Prepare; `start` listens.

        Args:
            store: an opened store.
            key: the installation's artifact key.
            max_downloads: downloads at once; more wait.
            further: what else is served at this port.

        Raises:
            ValueError: the key is empty.
        """
        if not key:
            raise ValueError("the artifact key is empty; give the operator a key file of at least 32 random bytes")
        self._store = store
        self._key = key
        self._downloads = asyncio.Semaphore(max_downloads)
        self._further = further
        self._runner: web.AppRunner | None = None

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=0)
        app.router.add_get("/v1/artifacts/{name}", self._artifact, allow_head=True)
        app.router.add_get("/healthz", self._healthz)
        for endpoints in self._further:
            endpoints.add_to(app)
        return app

    async def start(self, port: int, host: str | None = None) -> int:
        """Listen and return the port (useful with port 0)."""
        self._runner = web.AppRunner(self.application(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and end the downloads."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _artifact(self, request: web.Request) -> web.StreamResponse:
        match = _NAME.fullmatch(request.match_info["name"])
        if match is None:
            return _problem(404, "Not found", "Artifacts are at /v1/artifacts/<sha256 in hex>.tar.gz.")
        digest = f"sha256:{match['hex']}"
        bearer = _BEARER.fullmatch(request.headers.get(hdrs.AUTHORIZATION, ""))
        # Checked before existence, so that nobody can ask around which artifacts there are.
        if bearer is None or not token_matches(self._key, digest, bearer["token"]):
            answer = _problem(401, "Unauthorized", "Send the token that belongs to this digest as a Bearer token.")
            answer.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="artifacts"'
            return answer
        async with self._downloads:
            try:
                if not self._store.is_verified(digest) and not await asyncio.to_thread(self._store.verify, digest):
                    return _problem(
                        404,
                        "Artifact not in storage",
                        f"{digest} is not here; the operator fetches it again, try later.",
                    )
            except StorageError as error:
                answer = _problem(503, "Storage out of reach", f"{digest} cannot be read now: {error}.")
                answer.headers[hdrs.RETRY_AFTER] = _RETRY_SECONDS
                return answer
            return await self._send(request, digest)

    async def _send(self, request: web.Request, digest: str) -> web.StreamResponse:
        try:
            content = await asyncio.to_thread(self._store.path(digest).open, "rb")
        except FileNotFoundError:
            answer = _problem(503, "Artifact made room for others", f"{digest} was removed just now; try again.")
            answer.headers[hdrs.RETRY_AFTER] = _RETRY_SECONDS
            return answer
        with content:
            size = self._store.size(digest)
            etag = f'"{digest}"'
            headers = {
                hdrs.ETAG: etag,
                hdrs.ACCEPT_RANGES: "bytes",
                hdrs.CACHE_CONTROL: "private, immutable",
                hdrs.CONTENT_TYPE: "application/gzip",
            }
            if any(tag.value in {"*", digest} for tag in request.if_none_match or ()):
                return web.Response(status=304, headers=headers)
            start, stop = 0, size
            wanted = request.headers.get(hdrs.IF_RANGE, etag) == etag and hdrs.RANGE in request.headers
            if wanted:
                try:
                    start, stop = _range(request, size)
                except ValueError:
                    answer = _problem(416, "Range not satisfiable", f"The artifact has {size} bytes.")
                    answer.headers[hdrs.CONTENT_RANGE] = f"bytes */{size}"
                    return answer
                headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{size}"
            response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
            response.content_length = stop - start
            await response.prepare(request)
            if request.method == hdrs.METH_HEAD:
                return response
            await asyncio.to_thread(content.seek, start)
            left = stop - start
            while left and (block := await asyncio.to_thread(content.read, min(_BLOCK, left))):
                left -= len(block)
                await response.write(block)
            await response.write_eof()
            return response


def _range(request: web.Request, size: int) -> tuple[int, int]:
    """Return start and end (exclusive) of the one range asked for.

    Raises:
        ValueError: it cannot be read, is several ranges, or lies behind the end.
    """
    asked = request.http_range
    start = asked.start or 0
    if start < 0:
        start = max(0, size + start)
    stop = size if asked.stop is None else min(asked.stop, size)
    if start >= stop:
        raise ValueError("the range is empty")
    return start, stop


def _problem(status: int, title: str, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/problem+json")
