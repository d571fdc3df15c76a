"""What the gateway is measured against: the least that relays Redis publications to server-sent events.

One subscription for all clients, one queue a client; no authentication, routing, replay, limits, metrics or drain.

    python -m benchmarks.relay REDIS_URL
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


def app(redis: Redis) -> Starlette:
    """Return the relay: GET /{channel} follows a channel, POST /{channel} publishes to it."""
    queues: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)
    pubsub = redis.pubsub()
    subscribing = asyncio.Lock()
    reading: list[asyncio.Task[None]] = []

    async def read() -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5.0)
            if message is not None:
                for queue in queues.get(message["channel"].decode(), ()):
                    queue.put_nowait(message["data"])

    async def frames(channel: str, queue: "asyncio.Queue[bytes]") -> AsyncIterator[bytes]:
        try:
            yield b"retry: 1000\n\n"
            while True:
                number, _, envelope = (await queue.get()).partition(b" ")
                yield b"id: " + number + b"\ndata: " + envelope + b"\n\n"
        finally:
            queues[channel].discard(queue)

    async def follow(request: Request) -> Response:
        channel = request.path_params["channel"]
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues[channel].add(queue)
        async with subscribing:
            await pubsub.subscribe(channel)
        if not reading:
            reading.append(asyncio.create_task(read()))
        return StreamingResponse(frames(channel, queue), media_type="text/event-stream")

    async def publish(request: Request) -> Response:
        await redis.publish(request.path_params["channel"], b"1 " + await request.body())
        return JSONResponse({}, 202)

    return Starlette(
        routes=[
            Route("/{channel:path}", follow, methods=["GET"]),
            Route("/{channel:path}", publish, methods=["POST"]),
        ]
    )


def main() -> None:
    """Serve on a free port, which is printed."""
    config = uvicorn.Config(app(Redis.from_url(sys.argv[1])), port=0, loop="uvloop", http="httptools", access_log=False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
