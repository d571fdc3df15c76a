"""A proxy between an operator and the real API server that gives it the trouble of large and failing clusters."""

import asyncio
import random
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import yaml
from aiohttp import web

from tests.integration.apiserver.server import ApiServer

T = TypeVar("T")

EXPIRED = (
    b'{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","code":410,"reason":"Expired"}}\n'
)
TOO_MANY = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429, "reason": "TooManyRequests"}
_PASSED_ON = ("Accept", "Authorization", "Content-Type", "User-Agent")


class TroubledApi:
    """Passes requests on; whoever holds it decides how badly. It runs in a thread of its own.

    Attributes:
        refused: Share of the requests, watches included, that are answered with 429.
        delay: Seconds that each request waits before it is passed on.
        silent: No request is answered any more, and open watches say nothing.
        requests: How many requests came.
    """

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.refused = 0.0
        self.delay = 0.0
        self.silent = False
        self.requests = 0
        self.refusals = 0
        self._random = random.Random(1)
        self._server = server
        self._folder = folder
        self._watches: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="troubled API", daemon=True)
        self.kubeconfig = folder / "troubled-kubeconfig"

    def __enter__(self) -> Self:
        """Listen and write the kubeconfig."""
        self._thread.start()
        port = self._call(self._start())
        config = yaml.safe_load(self._server.kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self.kubeconfig.chmod(0o600)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; what is open is cut off."""
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def expire_watches(self) -> None:
        """Tell all open watches that they are too old to go on."""
        self._call(self._cancel_watches())

    async def _cancel_watches(self) -> None:
        watches = tuple(self._watches)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> int:
        authority = (self._server.folder / "certs" / "apiserver.crt").read_text()
        self._session = aiohttp.ClientSession(
            base_url=self._server.url,
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cadata=authority)),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=8 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        self.silent = False
        await self._cancel_watches()
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        while self.silent:
            await asyncio.sleep(0.1)
        await asyncio.sleep(self.delay)
        if self._random.random() < self.refused:
            self.refusals += 1
            return web.json_response(TOO_MANY, status=429, headers={"Retry-After": "1"})
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers["Accept-Encoding"] = "identity"
        body = await request.read()
        async with self._session.request(request.method, request.rel_url, headers=headers, data=body or None) as answer:
            if request.query.get("watch") == "true" and answer.status == 200:
                return await self._watch(request, answer)
            content = await answer.read()
            kept = {name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers}
            return web.Response(status=answer.status, body=content, headers=kept)

    async def _watch(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        passing = asyncio.create_task(self._pass_on(answer, response.write))
        self._watches.add(passing)
        try:
            await asyncio.wait([passing])
            if passing.cancelled():
                await response.write(EXPIRED)
        finally:
            passing.cancel()
            self._watches.discard(passing)
        return response

    async def _pass_on(self, answer: aiohttp.ClientResponse, write: Callable[[bytes], Awaitable[None]]) -> None:
        async for line in answer.content:
            while self.silent:
                await asyncio.sleep(0.1)
            await write(line)
