"""A load balancer that leads each address to one gateway, as a Service with the session affinity ClientIP does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit


class Balancer:
    """Forwards connections; an address keeps its gateway as long as that takes connections."""

    def __init__(self, gateways: Sequence[str]) -> None:
        """Prepare.

        Args:
            gateways: Their base URLs; they are dealt out in turn to new addresses.
        """
        self._ports = [urlsplit(url).port or 80 for url in gateways]
        self._chosen: dict[str, int] = {}
        self._next = 0
        self.url = ""

    def gateway_of(self, address: str) -> int:
        """Return the number of the gateway that an address is led to."""
        return self._chosen[address]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection."""
        address = writer.get_extra_info("peername")[0]
        upstream = await self._open(address)
        if upstream is not None:
            await asyncio.gather(_copy(reader, upstream[1]), _copy(upstream[0], writer))
        writer.close()

    async def _open(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self._ports:
            if address not in self._chosen:
                self._chosen[address] = self._next % len(self._ports)
                self._next += 1
            try:
                return await asyncio.open_connection("127.0.0.1", self._ports[self._chosen[address]])
            except OSError:
                del self._chosen[address]
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def balanced(*gateways: str) -> AsyncIterator[Balancer]:
    """Serve a balancer in front of gateways on a free port, for all addresses of this machine."""
    balancer = Balancer(gateways)
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    balancer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield balancer
    finally:
        server.close()
