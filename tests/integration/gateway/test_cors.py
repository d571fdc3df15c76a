"""Which web pages may call from a browser: none, unless their origin was named."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.integration.gateway.system import BASE, System, bearer, running_system

ORIGIN = "https://chat.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization",
}


async def test_no_page_of_another_origin_may_call_by_default(system: System) -> None:
    asked = await system.http.options(f"{BASE}/messages", headers=PREFLIGHT)
    assert asked.status_code == 405
    answer = await system.http.get("/v1/bots", headers={**bearer("ann"), "Origin": ORIGIN})
    assert not [name for name in (*asked.headers, *answer.headers) if name.startswith("access-control")]


async def test_a_named_origin_may_call_and_others_may_not(redis_client: Redis, tmp_path: Path) -> None:
    async with running_system(redis_client, tmp_path, origins=(ORIGIN,)) as system:
        asked = await system.http.options(f"{BASE}/messages", headers=PREFLIGHT)
        assert asked.headers["access-control-allow-origin"] == ORIGIN
        assert "Authorization" in asked.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in asked.headers
        answer = await system.http.get("/v1/bots", headers={**bearer("ann"), "Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        evil = await system.http.get("/v1/bots", headers={**bearer("ann"), "Origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in evil.headers
        conversation = await system.conversation("hi")
        path = f"{BASE}/conversations/{conversation}/events"
        async with system.http.stream("GET", path, headers={**bearer("ann"), "Origin": ORIGIN}) as stream:
            assert stream.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("status", [401, 404])
async def test_problems_can_be_read_by_a_named_origin(redis_client: Redis, tmp_path: Path, status: int) -> None:
    async with running_system(redis_client, tmp_path, origins=(ORIGIN,)) as system:
        path, headers = ("/v1/bots", {}) if status == 401 else ("/nothing", bearer("ann"))
        answer = await system.http.get(path, headers={**headers, "Origin": ORIGIN})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, ORIGIN)
