"""What browsers may ask for from other origins."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from botyard.gateway.app import _with_cors
from botyard.gateway.operations import OPERATIONS

ORIGIN = "https://chat.example.com"


@pytest.mark.parametrize("method", sorted({each.method for each in OPERATIONS}))
def test_every_method_of_the_api_may_be_used(method: str) -> None:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=_with_cors(PlainTextResponse("x"), [ORIGIN]))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.options("/", headers={"Origin": ORIGIN, "Access-Control-Request-Method": method})

    assert asyncio.run(asked()).status_code == 200
