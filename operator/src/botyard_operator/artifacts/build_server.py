"""The courier's side of the artifact server: cached layers out; layers, logs and reports in.

`GET /v1/builds/<id>/layers/<inputs>`, `PUT /v1/builds/<id>/{layer,log,report}`, `GET /v1/builds/<id>/log`, each with
the token of that one build. Only builds that run may deliver: a build that was given up delivers nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re

from aiohttp import hdrs, web
from pydantic import ValidationError

from botyard.contract.build import HEADER_DIGEST, MAX_REPORT_BYTES, BuildReport
from botyard_operator.artifacts.builds import BuildRecord, BuildRecords, LiveBuild, LiveBuilds
from botyard_operator.artifacts.errors import StorageError
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.artifacts.tokens import build_token, equal

logger = logging.getLogger(__name__)

_BLOCK = 1 << 18
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_LOG = 8 * 1024 * 1024
_BEARER = "Bearer "
_RETRY_SECONDS = "2"


class BuildEndpoints:
    """Takes what build pods deliver."""

    def __init__(
        self,
        store: ArtifactStore,
        records: BuildRecords,
        live: LiveBuilds,
        *,
        key: bytes,
        max_layer_bytes: int,
        max_uploads: int = 8,
    ) -> None:
        """Prepare.

        Args:
            store: An opened store.
            records: Its records.
            live: The builds that run.
            key: The installation's artifact key.
            max_layer_bytes: Limit on a packed layer.
            max_uploads: Uploads at once; more wait.
        """
        self._store = store
        self._records = records
        self._live = live
        self._key = key
        self._max_layer = max_layer_bytes
        self._uploads = asyncio.Semaphore(max_uploads)

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/v1/builds/{build}/layers/{inputs}", self._layer)
        app.router.add_get("/v1/builds/{build}/log", self._log)
        app.router.add_put("/v1/builds/{build}/{part:layer|log}", self._artifact)
        app.router.add_put("/v1/builds/{build}/report", self._report)

    async def _layer(self, request: web.Request) -> web.StreamResponse:
        build = self._authorised(request)
        inputs = f"sha256:{request.match_info['inputs']}"
        digest = await asyncio.to_thread(self._records.layer, self._running(build).namespace, inputs)
        if digest is None or not await self._verified(digest):
            raise web.HTTPNotFound(text="no layer was made from these inputs yet\n")
        return web.FileResponse(self._store.path(digest), headers={HEADER_DIGEST: digest})

    async def _log(self, request: web.Request) -> web.StreamResponse:
        build = self._authorised(request)
        record = await asyncio.to_thread(self._records.get, build)
        digest = record.report.log_digest if record is not None else ""
        if not digest or not await self._verified(digest):
            raise web.HTTPNotFound(text="there is no log of this build\n")
        return web.FileResponse(self._store.path(digest), headers={hdrs.CONTENT_TYPE: "application/gzip"})

    async def _verified(self, digest: str) -> bool:
        try:
            return await asyncio.to_thread(self._store.verify, digest)
        except StorageError as error:
            raise _storage_problem(error) from error

    async def _artifact(self, request: web.Request) -> web.Response:
        build = self._authorised(request)
        live = self._running(build)
        part = request.match_info["part"]
        digest, inputs = request.query.get("digest", ""), request.query.get("inputs", "")
        if not _DIGEST.fullmatch(digest) or (part == "layer" and not _DIGEST.fullmatch(inputs)):
            raise web.HTTPBadRequest(text="digest and, for a layer, inputs must be sha256:<64 hexadecimal digits>\n")
        async with self._uploads:
            try:
                await self._take(request, digest, self._max_layer if part == "layer" else _MAX_LOG)
                if part == "layer":
                    await asyncio.to_thread(self._records.remember_layer, live.namespace, inputs, digest)
            except StorageError as error:
                raise _storage_problem(error) from error
        return web.Response(status=204)

    async def _take(self, request: web.Request, digest: str, limit: int) -> None:
        """Write the body to a file of the store and adopt it."""
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
        found, size = hashlib.sha256(), 0
        with self._store.work_dir() as folder:
            file = folder / "upload"
            with file.open("wb") as out:
                async for block in request.content.iter_chunked(_BLOCK):
                    size += len(block)
                    if size > limit:
                        raise web.HTTPRequestEntityTooLarge(limit, size)
                    found.update(block)
                    await asyncio.to_thread(out.write, block)
            if f"sha256:{found.hexdigest()}" != digest:
                raise web.HTTPBadRequest(text="the content does not have the digest that was given\n")
            await asyncio.to_thread(self._store.adopt, file, digest)

    async def _report(self, request: web.Request) -> web.Response:
        build = self._authorised(request)
        live = self._running(build)
        body = await request.content.read(MAX_REPORT_BYTES + 1)
        while (more := await request.content.read(MAX_REPORT_BYTES + 1)) and len(body) <= MAX_REPORT_BYTES:
            body += more
        if len(body) > MAX_REPORT_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_REPORT_BYTES, len(body))
        try:
            report = BuildReport.model_validate_json(body)
        except ValidationError as error:
            raise web.HTTPBadRequest(text=f"no report: {error.error_count()} errors\n") from error
        size = 0
        for digest in filter(None, (report.layer_digest, report.log_digest)):
            if not self._store.has(digest):
                raise web.HTTPConflict(text=f"{digest} was not delivered\n")
        if report.layer_digest:
            if self._records.layer(live.namespace, report.inputs) != report.layer_digest:
                raise web.HTTPConflict(text="the layer was not made from these inputs\n")
            size = self._store.size(report.layer_digest)
        try:
            await asyncio.to_thread(self._records.put, build, BuildRecord(report=report, layer_size=size))
        except StorageError as error:
            raise _storage_problem(error) from error
        logger.info("a build was reported", extra={"build": build, "failed": report.failure is not None})
        live.done()
        return web.Response(status=204)

    def _authorised(self, request: web.Request) -> str:
        build = request.match_info["build"]
        header = request.headers.get(hdrs.AUTHORIZATION, "")
        if not header.startswith(_BEARER) or not equal(build_token(self._key, build), header.removeprefix(_BEARER)):
            raise web.HTTPUnauthorized(
                text="send the token of this build as a Bearer token\n",
                headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="builds"'},
            )
        return build

    def _running(self, build: str) -> LiveBuild:
        live = self._live.get(build)
        if live is None:
            # Right after a start the operator does not know yet which builds run.
            raise web.HTTPServiceUnavailable(
                text="this build is not expected; try again\n", headers={hdrs.RETRY_AFTER: _RETRY_SECONDS}
            )
        return live


def _storage_problem(error: StorageError) -> web.HTTPException:
    if error.full:
        return web.HTTPInsufficientStorage(text=f"{error}\n")
    return web.HTTPInternalServerError(text=json.dumps({"title": "Storage failed", "detail": str(error)}))
