"""The event store goes away and comes back."""

import asyncio
from pathlib import Path

from botyard.core.connection import connect
from botyard.gateway.context import StreamLimits
from tests.integration.gateway.system import BASE, bearer, opened, problem, running_system, texts
from tests.integration.redis.server import running_redis


async def test_while_redis_is_away_nothing_is_accepted_and_everybody_is_told(tmp_path: Path) -> None:
    with running_redis(appendfsync="always") as server:
        redis = connect(server.url)
        async with running_system(redis, tmp_path, stream_limits=StreamLimits(keep_alive=0.2)) as system:
            conversation = await system.conversation("one")
            async with opened(system, conversation) as stream:
                last = (await stream.take(1))[0].id
                server.kill()

                ready = await system.http.get("/readyz")
                assert ready.status_code == 503
                assert "does not answer" in ready.json()["checks"]["storage"]
                assert (await system.http.get("/healthz")).status_code == 200
                answer = await system.http.post(f"{BASE}/messages", json={"text": "a"}, headers=bearer("ann"))
                problem(answer, 503, "storage-unavailable")
                assert int(answer.headers["retry-after"]) >= 1
                # The stream does not hang: it ends, and the client comes back to where it was.
                assert await stream.next(20) is None
                assert "storage" in stream.comments

            server.start()
            async with asyncio.timeout(90):
                while (await system.http.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.05)
            await system.add(conversation, "two")
            async with opened(system, conversation, headers={"Last-Event-ID": last}) as stream:
                assert list(texts(await stream.take(1))) == ["two"]
        await redis.aclose()
