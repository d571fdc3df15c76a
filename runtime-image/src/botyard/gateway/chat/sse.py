"""`/sse/stream`, `/sse/chat` and `/sse/conv_status.get`."""

import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.gateway.app_errors import to_problem
from botyard.gateway.chat import bodies, callers, origins, status, submit, wire
from botyard.gateway.chat.callers import Caller
from botyard.gateway.chat.feeds import open_feed
from botyard.gateway.chat.wire import Positions
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem
from botyard.gateway.stream import EventStream, check_room

_KEEP_ALIVE = b": keepalive\n\n"
_QUERY = ("stream_id", "user_session_id", "bearer_token", "id_token", "tenant", "project", "after")


async def stream_chat(gateway: Gateway, request: Request) -> Response:
    """Open the stream of a session."""
    query = request.query_params
    caller = await _caller(gateway, request, query, query.get("stream_id") or f"stream-{secrets.token_hex(8)}")
    positions = Positions(request.headers.get("last-event-id") or query.get("after", "")[:8192])
    check_room(gateway)
    return EventStream(
        gateway,
        _frames(gateway, caller, positions),
        connection=request.state.connection,
        start=b"",
        keep_alive=_KEEP_ALIVE,
    )


async def post_chat(gateway: Gateway, request: Request) -> Response:
    """Accept a message; what becomes of it goes to the stream."""
    query = request.query_params
    caller = await _caller(gateway, request, query, query.get("stream_id", ""))
    said = None
    try:
        said = await bodies.read(request)
        return JSONResponse(await submit.submit(gateway, caller, said))
    except Exception as error:
        problem = to_problem(error)
        await submit.deny(gateway, caller, problem, endpoint="/sse/chat", said=said)
        raise problem from None


async def get_chat_status(gateway: Gateway, request: Request) -> Response:
    """Tell what a conversation is at: in the answer, and as an event of the stream."""
    query = request.query_params
    caller = await _caller(gateway, request, query, query.get("stream_id", ""))
    event = await status.ask(gateway, caller, bodies.from_json(await bodies.read_small(request)))
    if caller.connection:
        await gateway.chat.sessions.tell(caller.key, "conv_status", event, target=caller.connection)
    return JSONResponse({"status": "ok", **event["data"]})


async def _caller(gateway: Gateway, request: Request, query: Mapping[str, Any], connection: str) -> Caller:
    headers = request.headers
    if gateway.hosts is not None and not origins.allowed(
        headers.get("origin"), headers.get("host", ""), gateway.origins
    ):
        # Nobody is asked who they are here, and a page of any site could send a form.
        raise Problem("forbidden", "Pages of other sites may not speak here; see --cors-origin.")
    given = {name: query[name] for name in _QUERY if name in query}
    if "user_session_id" not in given and (named := request.headers.get("user-session-id")):
        given["user_session_id"] = named
    return await callers.identify(
        gateway, authorization=request.headers.get("authorization"), given=given, connection=connection
    )


async def _frames(gateway: Gateway, caller: Caller, positions: Positions) -> AsyncGenerator[bytes | None, None]:
    ready = {
        "type": "ready",
        "ts": int(time.time() * 1000),
        "stream_id": caller.connection,
        "session_id": caller.session,
        "user_id": caller.user,
        "tenant": caller.tenant or caller.namespace,
        "project": caller.project,
    }
    async with open_feed(gateway, caller, positions) as feed:
        yield wire.frame("ready", wire.to_json(ready))
        while True:
            taken = await feed.take(gateway.chat.settings.keep_alive)
            if not taken:
                yield None
                continue
            # All that waits in one piece: a client that is behind catches up at the cost of one write.
            yield b"".join(wire.frame(event.event, event.data, position) for event, position in taken)
