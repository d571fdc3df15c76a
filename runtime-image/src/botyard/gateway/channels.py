"""POST /v1/channels/{channel}: what messengers and other systems send; each proves itself in its own protocol."""

from starlette.requests import Request
from starlette.responses import Response

from botyard.channels.errors import DeliveryFailed, NotGenuine, Unreadable
from botyard.channels.service import UnknownChannel
from botyard.gateway import bodies
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem

_LIMIT_BYTES = 1_048_576


async def post_channel(gateway: Gateway, request: Request) -> Response:
    """Accept a vendor's request; 200 once the event store has what it says, or when it says nothing to a bot."""
    if gateway.channels is None:
        raise Problem("unknown-channel")
    body = await bodies.read(request, limit=_LIMIT_BYTES)
    headers = {name.lower(): value for name, value in request.headers.items()}
    name = str(request.path_params["channel"])
    try:
        accepted = await gateway.channels.receive(name, headers, body)
    except UnknownChannel:
        raise Problem("unknown-channel") from None
    except NotGenuine as error:
        raise Problem("not-genuine", str(error)) from None
    except Unreadable as error:
        raise Problem("invalid-body", str(error)) from None
    except DeliveryFailed as error:
        # The other side sends it again later.
        raise Problem("channel-unavailable", str(error), retry_after=error.retry_after or 5) from None
    if accepted and (route := gateway.table.find(*gateway.channels.bot_of(name))) is not None:
        await gateway.waker.need(route)
    for each in accepted:
        gateway.metrics.accepted.labels("channel", str(each.duplicate).lower()).inc()
    return Response(status_code=200)
