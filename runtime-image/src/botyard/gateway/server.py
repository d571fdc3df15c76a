"""uvicorn, set up for the gateway, with a shutdown that lets everybody finish."""

import contextlib
import logging
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

import uvicorn

from botyard.gateway import app
from botyard.gateway.chat.bodies import SOCKET_BYTES
from botyard.gateway.context import Gateway
from botyard.gateway.protocol import BoundedProtocol

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 8080
    drain_delay: float = 0.0
    """Seconds between "not ready" and the end of streams, for load balancers to take notice."""
    drain_timeout: float = 30.0
    """Seconds that running requests get to finish."""
    connections: int = 6_000
    """Connections served at once; more are answered with 503."""


class GatewayServer(uvicorn.Server):
    """Serves a gateway.

    On SIGTERM or SIGINT readiness goes off at once; after the drain delay event streams end with a hint to come
    back, the socket closes and running requests finish. A second signal ends the wait.

    Args:
        gateway: What to serve.
        settings: Where and how.
        own_signals: False where the process has signal handlers of its own, which call `stop`.
    """

    def __init__(self, gateway: Gateway, settings: ServerSettings, *, own_signals: bool = True) -> None:
        super().__init__(
            uvicorn.Config(
                app.build(gateway),
                host=settings.host,
                port=settings.port,
                http=BoundedProtocol,
                ws="auto",
                ws_max_size=SOCKET_BYTES,
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=int(settings.drain_timeout),
                limit_concurrency=settings.connections,
                backlog=2048,
            )
        )
        self._gateway = gateway
        self._settings = settings
        self._own_signals = own_signals
        self._stop_at: float | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; useful where 0 was asked for."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Begin to shut down; a second call ends the wait for running requests."""
        if self._stop_at is None:
            self._gateway.drain.announce()
            self._stop_at = time.monotonic() + self._settings.drain_delay
        elif self.should_exit:
            self.force_exit = True
        else:
            self._stop_at = time.monotonic()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; it is not raised again after the shutdown, which therefore ends with exit code 0."""
        log.info("%s: shutting down", signal.Signals(sig).name)
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take over signals unless the process has its own handlers."""
        if self._own_signals:
            with super().capture_signals():
                yield
        else:
            yield

    async def on_tick(self, counter: int) -> bool:
        """Look whether the drain delay is over."""
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._gateway.drain.close()
        await super().shutdown(sockets)
