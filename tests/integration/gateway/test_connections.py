"""What hostile or broken clients do to a connection."""

import asyncio

import pytest

from botyard.gateway import bodies, protocol
from tests.integration.gateway.system import System


async def _closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(90):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_headers_that_never_end_are_not_waited_for(
    system: System, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEADER_TIMEOUT_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(*system.address)
    writer.write(sent)
    assert await _closed(reader) == b""
    writer.close()


async def test_headers_without_measure_are_refused(system: System) -> None:
    reader, writer = await asyncio.open_connection(*system.address)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * (protocol.HEADER_BYTES + 1) + b"\r\n\r\n")
    assert (await _closed(reader)).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_body_that_never_ends_is_not_waited_for(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_TIMEOUT_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(*system.address)
    writer.write(
        b"POST /v1/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    )
    answer = await _closed(reader)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"problems/timeout" in answer
    writer.close()


async def test_nonsense_is_a_bad_request(system: System) -> None:
    reader, writer = await asyncio.open_connection(*system.address)
    writer.write(b"\x16\x03\x01 tls?\r\n\r\n")
    assert (await _closed(reader)).startswith(b"HTTP/1.1 400")
    writer.close()
