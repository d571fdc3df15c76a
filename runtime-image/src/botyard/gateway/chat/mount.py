"""`/socket.io/`, beside everything else that the gateway serves."""

from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from botyard.gateway.context import Gateway
from botyard.gateway.hosts import check_host
from botyard.gateway.problems import Problem

if TYPE_CHECKING:
    from botyard.gateway.chat.socket import ChatSocket

PATH = "/socket.io/"


class SocketMount:
    """Leads clients of Socket.IO to its server, which comes into being with the first of them."""

    otherwise: ASGIApp
    """Serves everything else."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._socket: ChatSocket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, a WebSocket or the lifespan."""
        kind = scope["type"]
        if kind in ("http", "websocket") and scope["path"].startswith(PATH):
            try:
                check_host(self._gateway, _host(scope))
            except Problem as problem:
                await (problem.to_response()(scope, receive, send) if kind == "http" else _refuse(send))
                return
            await self._server().app(scope, receive, send)
        elif kind == "websocket":
            await _refuse(send)
        else:
            await self.otherwise(scope, receive, send)

    async def close(self) -> None:
        """End all connections."""
        if self._socket is not None:
            await self._socket.close()

    def _server(self) -> "ChatSocket":
        if self._socket is None:
            # A gateway without such clients pays nothing for the server.
            from botyard.gateway.chat.socket import ChatSocket

            self._socket = ChatSocket(self._gateway)
        return self._socket


def _host(scope: Scope) -> str:
    headers: dict[bytes, Any] = dict(scope["headers"])
    return str(headers.get(b"host", b"").decode("latin-1"))


async def _refuse(send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})
