"""Socket.IO: the same conversations, messages and events as `/sse`, over one connection."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused

from botyard.gateway.app_errors import to_problem
from botyard.gateway.chat import bodies, callers, denials, origins, status, submit
from botyard.gateway.chat.attachments import Attachment, attachment
from botyard.gateway.chat.bodies import ChatRequest
from botyard.gateway.chat.callers import Caller
from botyard.gateway.chat.feeds import open_feed
from botyard.gateway.chat.wire import Positions
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem
from botyard.gateway.stream import check_room

log = logging.getLogger(__name__)

UNSENT = 256
"""Packets that wait for a client before nothing more is taken out of its feed."""
_AUTH = ("user_session_id", "bearer_token", "id_token", "tenant", "project")


@dataclass(slots=True)
class _Connection:
    caller: Caller
    task: "asyncio.Task[None] | None" = None


class ChatSocket:
    """The Socket.IO server of one gateway; `app` is its ASGI application.

    Each connection is fed from the event store by its own gateway, so that any number of gateways work side by side.
    The manager on Redis lets other programs send to sessions as well.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._connections: dict[str, _Connection] = {}
        url = gateway.chat.settings.redis_url
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            client_manager=socketio.AsyncRedisManager(url) if url else None,
            cors_allowed_origins=self._origin_allowed,
            max_http_buffer_size=bodies.SOCKET_BYTES,
            transports=list(gateway.chat.settings.transports),
            logger=False,
            engineio_logger=False,
            async_handlers=True,
        )
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        self.server.on("chat_message", self._chat_message)
        self.server.on("conv_status.get", self._conv_status)
        self.server.on("ping", self._ping)
        self.app = socketio.ASGIApp(self.server, socketio_path="/socket.io")

    async def close(self) -> None:
        """End all connections; their clients come back to another gateway."""
        for sid in list(self._connections):
            with contextlib.suppress(Exception):
                await self.server.disconnect(sid)
        with contextlib.suppress(Exception):
            await self.server.shutdown()

    def _origin_allowed(self, origin: str, environ: Mapping[str, Any]) -> bool:
        return origins.allowed(origin, str(environ.get("HTTP_HOST", "")), self._gateway.origins)

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        gateway = self._gateway
        given = auth if isinstance(auth, dict) else {}
        try:
            check_room(gateway)
            caller = await callers.identify(
                gateway,
                authorization=environ.get("HTTP_AUTHORIZATION"),
                given={name: given[name] for name in _AUTH if name in given},
                connection=sid,
            )
        except Exception as error:
            problem = to_problem(error)
            told = {"error": problem.type.name, "http_status": problem.type.status, "message": problem.detail}
            raise Refused(problem.detail, told) from None
        after = given.get("after")
        positions = Positions(after[:8192] if isinstance(after, str) else "")
        connection = self._connections[sid] = _Connection(caller)
        await self.server.enter_room(sid, caller.key.tag)
        info = {
            "session_id": caller.session,
            "sid": sid,
            "user_id": caller.user,
            "user_type": await self._kind(caller),
            "tenant": caller.tenant or caller.namespace,
            "project": caller.project,
        }
        connection.task = asyncio.create_task(
            self._pump(sid, caller, positions, info, replays=isinstance(after, str)),
            name=f"socket-{sid}",
        )

    async def _kind(self, caller: Caller) -> str:
        """Return the type of a user at the default bot; at others it may be another."""
        try:
            return (await callers.choose(self._gateway, caller, "")).user_type
        except Problem:
            return "registered" if caller.known else "anonymous"

    async def _disconnect(self, sid: str, *reason: Any) -> None:
        connection = self._connections.pop(sid, None)
        if connection is not None and connection.task is not None:
            connection.task.cancel()

    async def _pump(self, sid: str, caller: Caller, positions: Positions, info: Any, *, replays: bool) -> None:
        """Send what the connection's feed has, until it ends."""
        gateway = self._gateway
        gateway.open_streams += 1
        gateway.metrics.streams.inc()
        ending = asyncio.current_task()
        assert ending is not None

        def drain() -> None:
            ending.cancel("drain")

        gateway.drain.register(drain)
        try:
            async with open_feed(gateway, caller, positions) as feed:
                await self._send(sid, "session_info", info)
                while True:
                    for event, position in await feed.take(gateway.chat.settings.keep_alive):
                        await self._room(sid)
                        data = json.loads(event.data)
                        # Clients that resume are told where they are, in a second argument.
                        await self._send(sid, event.event, (data, position) if replays and position else data)
                        gateway.metrics.sent.inc()
        except asyncio.CancelledError:
            if gateway.drain.closed:
                self._leave(sid)
            raise
        except Exception as error:
            log.warning("a socket ends: %s", error)
            self._leave(sid)
        finally:
            gateway.drain.forget(drain)
            gateway.open_streams -= 1
            gateway.metrics.streams.dec()

    def _leave(self, sid: str) -> None:
        """Disconnect a client, which comes back and goes on where it was."""
        self.server.start_background_task(self.server.disconnect, sid)

    async def _send(self, sid: str, event: str, data: Any) -> None:
        # Past the manager's queue: the connection is here.
        queue = {"ignore_queue": True} if self._gateway.chat.settings.redis_url else {}
        await self.server.emit(event, data, to=sid, **queue)

    async def _room(self, sid: str) -> None:
        """Wait until a client has taken most of what was sent to it; one that does not is dropped.

        Raises:
            TimeoutError: It reads nothing.
        """
        async with asyncio.timeout(self._gateway.stream_limits.write_timeout):
            # Its queue tells nobody when it shrinks.
            while self._unsent(sid) >= UNSENT:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _unsent(self, sid: str) -> int:
        connection = self.server.manager.eio_sid_from_sid(sid, "/")
        socket = self.server.eio.sockets.get(connection)
        return socket.queue.qsize() if socket is not None else 0

    async def _chat_message(self, sid: str, data: Any = None, *files: Any) -> dict[str, Any]:
        connection = self._connections.get(sid)
        if connection is None:
            return {"status": "error", "error": "not_connected", "http_status": 401}
        caller, said = connection.caller, None
        try:
            said = bodies.parse(data, _attachments(data, files))
            return await submit.submit(self._gateway, caller, said)
        except Exception as error:
            return await self._denied(caller, to_problem(error), said)

    async def _denied(self, caller: Caller, problem: Problem, said: ChatRequest | None) -> dict[str, Any]:
        await submit.deny(self._gateway, caller, problem, endpoint="chat_message", said=said)
        return {
            "status": "error",
            "error": problem.code or problem.type.name.replace("-", "_"),
            "http_status": problem.type.status,
            "message": problem.detail,
            "retry_after": denials.retry_after(problem),
        }

    async def _conv_status(self, sid: str, data: Any = None) -> dict[str, Any]:
        connection = self._connections.get(sid)
        if connection is None:
            return {"status": "error", "error": "not_connected", "http_status": 401}
        try:
            event = await status.ask(self._gateway, connection.caller, data)
        except Exception as error:
            return await self._denied(connection.caller, to_problem(error), None)
        await self._send(sid, "conv_status", event)
        return {"status": "ok", **event["data"]}

    async def _ping(self, sid: str, *data: Any) -> dict[str, Any]:
        now = {"timestamp": time.time()}
        await self._send(sid, "pong", now)
        return now


def _attachments(data: Any, files: tuple[Any, ...]) -> tuple[Attachment, ...]:
    """Return the binary arguments of a message, named by its `attachment_meta`."""
    told = data.get("attachment_meta") if isinstance(data, dict) else None
    about = [each if isinstance(each, dict) else {} for each in told] if isinstance(told, list) else []
    found: list[Attachment] = []
    for number, file in enumerate(files):
        meta = about[number] if number < len(about) else {}
        if isinstance(file, dict):
            meta, file = {**meta, **file}, file.get("data")
        if not isinstance(file, bytes | bytearray | str):
            raise Problem("attachment-rejected", f"Attachment {number + 1} is no file.", code="attachment_rejected")
        content = file.encode() if isinstance(file, str) else bytes(file)
        names = (meta.get(name) for name in ("name", "filename"))
        kinds = (meta.get(name) for name in ("mime", "type", "content_type"))
        name = next((name for name in names if isinstance(name, str)), None)
        kind = next((kind for kind in kinds if isinstance(kind, str)), None)
        found.append(attachment(name, kind, content, number))
    return tuple(found)
