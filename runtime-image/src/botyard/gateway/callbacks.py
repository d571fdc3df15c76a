"""Callbacks of third parties: an unguessable reference, which the bot handed out, names the session that waits."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.references import Reference
from botyard.gateway import bodies, routes
from botyard.gateway.context import Gateway
from botyard.gateway.models.channels import CallbackAccepted
from botyard.gateway.problems import Problem

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{16,128}")
_IN_BODY = re.compile(rb"jbkey([A-Za-z0-9-]{16,64}?)jbkey")
"""How bots of the FSM model mark the reference in what they hand out (`get_reference_id`)."""


async def post_callback(gateway: Gateway, request: Request) -> Response:
    """Accept a callback whose path holds the reference; the body is handed on as text."""
    _throttle(gateway, request)
    reference_id = str(request.path_params["reference"])
    reference = await _resolve(gateway, reference_id)
    here = (request.path_params["namespace"], request.path_params["bot"])
    if (reference.bot.namespace, reference.bot.name) != here:
        raise Problem("unknown-reference")
    body = await bodies.read(request, limit=_limit(gateway, reference))
    return await _accept(gateway, reference_id, reference, body)


async def post_webhook(gateway: Gateway, request: Request) -> Response:
    """Accept a callback whose body holds the reference somewhere, as `jbkey…jbkey`."""
    _throttle(gateway, request)
    body = await bodies.read(request, limit=bodies.DEFAULT_LIMIT_BYTES)
    found = _IN_BODY.search(body)
    if found is None:
        raise Problem("unknown-reference", "The body holds no reference of the form jbkey…jbkey.")
    reference_id = found.group(0).decode()
    reference = await _resolve(gateway, reference_id)
    if len(body) > (limit := _limit(gateway, reference)):
        raise Problem("too-large", f"The body has more than {limit} bytes, which is the limit of this bot.")
    return await _accept(gateway, reference_id, reference, body)


def _throttle(gateway: Gateway, request: Request) -> None:
    # Nobody is authenticated here: guessing is bounded by the address that it comes from.
    wait = gateway.callback_limiter.take(request.client.host if request.client else "")
    if wait:
        raise Problem("rate-limited", retry_after=wait)


async def _resolve(gateway: Gateway, reference_id: str) -> Reference:
    if not _REFERENCE.fullmatch(reference_id):
        raise Problem("unknown-reference")
    reference = await gateway.references.resolve(reference_id)
    if reference is None or gateway.table.find(reference.bot.namespace, reference.bot.name) is None:
        raise Problem("unknown-reference")
    return reference


def _limit(gateway: Gateway, reference: Reference) -> int:
    route = gateway.table.find(reference.bot.namespace, reference.bot.name)
    return route.max_input_bytes if route else bodies.DEFAULT_LIMIT_BYTES


async def _accept(gateway: Gateway, reference_id: str, reference: Reference, body: bytes) -> Response:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem("bad-parameter", "The body of a callback must be text in UTF-8.") from None
    route = gateway.table.find(reference.bot.namespace, reference.bot.name)
    # A bot that is not ready still gets its callbacks: a third party rarely calls twice.
    # The event's id follows from the reference, which makes the reference good for one event.
    receipt = await gateway.inbox.accept(
        routes.address(route) if route else reference.bot,
        key=reference.conversation,
        kind="callback",
        payload={"reference": reference_id, "body": text},
        user=reference.user,
        event_id=f"callback_{reference_id}",
        max_pending=gateway.max_pending,
    )
    if route is not None:
        await gateway.waker.need(route)
    gateway.metrics.accepted.labels("callback", str(receipt.duplicate).lower()).inc()
    if receipt.duplicate:
        raise Problem("reference-used")
    answer = CallbackAccepted(conversation=reference.conversation, turn=receipt.turn, event=receipt.event)
    return JSONResponse(answer.model_dump(), 202)
