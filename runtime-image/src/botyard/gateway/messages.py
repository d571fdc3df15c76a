"""POST …/messages: a user says something to a bot."""

import base64
import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core import ids
from botyard.core.errors import NotOwner
from botyard.core.inbox import Accepted as Receipt
from botyard.gateway import bodies, files
from botyard.gateway.access import Admission, admit, admit_default
from botyard.gateway.context import Gateway
from botyard.gateway.models.messages import Accepted, MessageRequest
from botyard.gateway.problems import Problem
from botyard.gateway.thread_owners import check_name, owner_of
from botyard.loop import keys


async def post_message(gateway: Gateway, request: Request) -> Response:
    """Accept a message: 202 once the event store has it."""
    return await _post(await admit(gateway, request), request)


async def post_default_message(gateway: Gateway, request: Request) -> Response:
    """Accept a message that names no bot: it is for the namespace's default bot."""
    return await _post(await admit_default(gateway, request), request)


async def _post(admission: Admission, request: Request) -> Response:
    gateway, route = admission.gateway, admission.route
    _throttle(admission)
    body = await bodies.read_json(request, MessageRequest, limit=route.max_input_bytes)
    _check(body, admission)
    if not (route.ready or route.wakes or route.queue or body.queue):
        raise Problem(
            "bot-not-ready", route.message or f"Bot {route.namespace}/{route.name} is not ready.", retry_after=5
        )
    user = await _user(body, admission)
    conversation = _addressed(body.conversation or _conversation(body, user, admission), body, admission)
    receipt = await _accept(admission, body, user, conversation)
    await gateway.waker.need(route)
    gateway.metrics.accepted.labels("message", str(receipt.duplicate).lower()).inc()
    answer = Accepted(
        bot=route.name,
        conversation=conversation,
        turn=receipt.turn,
        event=receipt.event,
        duplicate=receipt.duplicate,
    )
    base = f"/v1/namespaces/{route.namespace}/bots/{route.name}"
    return JSONResponse(answer.model_dump(), 202, headers={"Location": f"{base}/conversations/{conversation}/events"})


def _throttle(admission: Admission) -> None:
    gateway, subject, bot = admission.gateway, admission.principal.subject, admission.bot
    if wait := gateway.limiter.take((subject, bot)):
        raise Problem("rate-limited", f"{subject} sends too many messages to {bot}.", retry_after=wait)
    if wait := gateway.bot_limiter.take(bot):
        raise Problem("rate-limited", f"All users together send too many messages to {bot}.", retry_after=wait)


def _check(body: MessageRequest, admission: Admission) -> None:
    if not (body.text or body.options or body.files or body.payload):
        raise Problem(
            "invalid-body",
            "The message is empty.",
            errors=[{"pointer": "/text", "detail": "Give text, options, files or payload."}],
        )
    for index, file in enumerate(body.files):
        if (file.id is None) is (file.url is None) or (file.url is not None and not file.name):
            raise Problem(
                "invalid-body",
                errors=[{"pointer": f"/files/{index}", "detail": "Give `id`, or `url` with `name`."}],
            )
    if body.persona is not None and body.persona not in admission.route.personas:
        raise Problem("unknown-persona", f"The bot has no Persona {body.persona}.")


async def _user(body: MessageRequest, admission: Admission) -> str:
    subject = admission.principal.subject
    if body.user is None or body.user == subject:
        return subject
    if not await admission.may_act_for_others():
        raise Problem(
            "forbidden",
            f"{subject} lacks the verb `actas` on bots.botyard.dev {admission.route.namespace}/"
            f"{admission.route.name}, which the field `user` needs.",
        )
    return body.user


def _conversation(body: MessageRequest, user: str, admission: Admission) -> str:
    """Return a new conversation's identifier.

    A message with an `id` must reach the same conversation when it is sent again, so it follows from the `id`; whose
    it is stays checked, so that knowing it gives nothing.
    """
    if body.id is None:
        return ids.new_conversation()
    return "conv_" + _digest(admission.route.namespace, admission.route.name, user, body.id)


def _addressed(conversation: str, body: MessageRequest, admission: Admission) -> str:
    """Return the conversation under the name that it has: those with a loop bot are threads of one of its Personas.

    Raises:
        Problem: `invalid-body` where it is not clear which Persona is meant.
    """
    route = admission.route
    if route.model != "loop":
        return conversation
    named, thread, _ = conversation.partition("~")
    named = named if thread else ""
    persona = body.persona or named or (route.personas[0] if len(route.personas) == 1 else "")
    if not persona or (thread and named != persona) or persona not in route.personas:
        names = ", ".join(route.personas[:20]) or "none yet"
        detail = f"Say which Persona is meant; those of {route.name} are: {names}."
        raise Problem("invalid-body", errors=[{"pointer": "/persona", "detail": detail}])
    return conversation if thread else keys.thread_key(persona, conversation)


async def _accept(admission: Admission, body: MessageRequest, user: str, conversation: str) -> Receipt:
    if loop := admission.route.model == "loop":
        check_name(conversation, await owner_of(admission, conversation))
    payload = body.model_dump(mode="json", include={"text", "payload", "options"})
    payload["files"] = await files.resolve(admission, body.files)
    payload["user"] = user
    if body.persona is not None:
        payload["persona"] = body.persona
    # Ids of clients are told apart by conversation: what one user sends never hides what another sends.
    event_id = None if body.id is None else "msg_" + _digest(conversation, body.id)

    await admission.gateway.quotas.check(admission.bot, user, key=conversation, event=event_id)

    async def accept(*, for_others: bool) -> Receipt:
        return await admission.gateway.inbox.accept(
            admission.bot,
            key=conversation,
            kind="message",
            payload=payload,
            user=user,
            may_act_for_others=for_others,
            event_id=event_id,
            max_pending=admission.gateway.max_pending,
        )

    try:
        return await accept(for_others=False)
    except NotOwner:
        if loop and await owner_of(admission, conversation) in ("", user):
            return await accept(for_others=True)
        if body.user is None and await admission.may_act_for_others():
            return await accept(for_others=True)
        raise Problem("conversation-of-another-user") from None


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(joined).digest()[:15]).decode()
