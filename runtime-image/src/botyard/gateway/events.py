"""GET …/conversations/{c}/events: everything a conversation says, replayed and then live."""

import json
import re
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.errors import Expired
from botyard.core.outputs import Stored
from botyard.gateway import parameters
from botyard.gateway.access import Admission, admit, conversation_of
from botyard.gateway.context import Gateway
from botyard.gateway.models.conversations import EventList, StoredEvent
from botyard.gateway.problems import Problem
from botyard.gateway.stream import EventStream, check_room
from botyard.gateway.visibility import visible

_FIRST_KEY = re.compile(r'\{"type":"([A-Za-z0-9_.:-]{1,128})"')
_AUDIENCE = re.compile(r'\{"type":"[^"]*","delivery":\{[^{}]*?"audience":"([a-z]+)"')
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


async def get_events(gateway: Gateway, request: Request) -> Response:
    """Return the conversation's events: as a stream, or with `follow=false` as JSON."""
    admission = await admit(gateway, request)
    parameters.only(request, "after", "follow", "limit")
    follow = parameters.flag(request, "follow", default=True)
    limit = parameters.number(request, "limit", default=500, least=1, most=1000)
    after = parameters.position(request)
    conversation = await conversation_of(admission, request)
    privileged = await admission.may_act_for_others()
    # Read before a stream begins, so that what is expired can still be answered with a status.
    try:
        page = await gateway.outputs.read(admission.bot, conversation, after=after, count=1 if follow else limit)
    except Expired as error:
        raise _expired(error) from None
    if not follow:
        return _as_json(admission, page, after, limit, privileged=privileged)
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    check_room(gateway)
    return EventStream(
        gateway,
        _frames(admission, conversation, after, privileged=privileged),
        connection=request.state.connection,
    )


async def _frames(
    admission: Admission, conversation: str, after: str, *, privileged: bool
) -> AsyncGenerator[bytes | None, None]:
    gateway = admission.gateway
    tick = gateway.stream_limits.keep_alive
    async for stored in gateway.outputs.follow(admission.bot, conversation, after=after, tick=tick):
        if stored is None:
            yield None
            continue
        kind = event_type(stored.envelope)
        # Asked for each event: a stream may be open for days, and the Bot be edited meanwhile.
        allow = (gateway.table.find(admission.route.namespace, admission.route.name) or admission.route).events_allow
        if visible(kind, allow=allow, privileged=privileged, audience=audience_of(stored.envelope)):
            yield frame(stored, kind)


def frame(stored: Stored, kind: str) -> bytes:
    """Return one event as server-sent events write it; JSON text never holds a line break."""
    return f"id: {stored.id}\nevent: {kind}\ndata: {stored.envelope}\n\n".encode()


def event_type(envelope: str) -> str:
    """Return the type of an envelope; `message` where it could not be the name of an event."""
    found = _FIRST_KEY.match(envelope)
    if found:
        # The runtime writes `type` first: no need to parse the whole for every client.
        return found[1]
    kind = json.loads(envelope).get("type")
    return kind if isinstance(kind, str) and _NAME.fullmatch(kind) else "message"


def audience_of(envelope: str) -> str:
    """Return for whom an envelope says that it is; the runtime writes that behind the type."""
    found = _AUDIENCE.match(envelope)
    return found[1] if found else ""


def _as_json(admission: Admission, page: list[Stored], after: str, limit: int, *, privileged: bool) -> Response:
    allow = admission.route.events_allow
    events = [
        StoredEvent(id=stored.id, event=kind, data=json.loads(stored.envelope))
        for stored in page
        if visible(
            kind := event_type(stored.envelope),
            allow=allow,
            privileged=privileged,
            audience=audience_of(stored.envelope),
        )
    ]
    last = page[-1].id if page else after or "0"
    return JSONResponse(EventList(events=tuple(events), last=last, more=len(page) == limit).model_dump())


def _expired(error: Expired) -> Problem:
    return Problem(
        "history-expired",
        f"The oldest event that is kept has the id {error.first}; read without `after` and without Last-Event-ID "
        "to get what is kept.",
    )
