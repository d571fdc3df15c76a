"""The other side of a webhook channel."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    """What was posted, and what to answer."""

    url: str = ""
    requests: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers, instead of 204."""
    refused: int = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.failures:
            self.refused += 1
            return web.Response(status=self.failures.pop(0))
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, body))
        return web.Response(status=204)


@contextlib.asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Serve on a free port."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/in", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
