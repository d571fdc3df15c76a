"""The way of a message over a chat channel: who, may they, how often, is there room, then into the bot's inbox."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from redis.exceptions import RedisError

from botyard.core import ids
from botyard.core.conversations import Progress
from botyard.core.errors import FilesFull, NotOwner, Overloaded
from botyard.core.files import MAX_BYTES, PIECE_BYTES
from botyard.core.inbox import Accepted
from botyard.gateway.access import CONVERSATION
from botyard.gateway.chat import attachments, callers, denials, status
from botyard.gateway.chat.attachments import Attachment
from botyard.gateway.chat.bodies import ChatRequest, too_large
from botyard.gateway.chat.callers import Caller, Chosen
from botyard.gateway.chat.registry import Member
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem


async def submit(gateway: Gateway, caller: Caller, said: ChatRequest) -> dict[str, Any]:
    """Accept a message and return the acknowledgement: the event store has it then.

    A conversation that is busy takes it as well: it runs when those before it have.

    Raises:
        Problem: It is refused; nothing was accepted.
    """
    chosen = await callers.choose(gateway, caller, said.bundle_id)
    await _throttle(gateway, caller, chosen)
    route = chosen.route
    if not (route.ready or route.wakes or route.queue):
        raise Problem("bot-not-ready", route.message or f"{route.name} is not ready.", retry_after=5)
    if route.model == "loop":
        raise Problem(
            "unknown-bundle", f"{route.name} is a bot of Personas: talk to one over its threads.", code="unknown_bundle"
        )
    if len(said.text.encode("utf-8", "replace")) > route.max_input_bytes:
        raise Problem("input-too-long", f"The text may have {route.max_input_bytes} bytes here.", code="input_too_long")
    _check_files(said)
    conversation = said.conversation or ids.new_conversation()
    if not CONVERSATION.fullmatch(conversation) or "~" in conversation:
        raise Problem("bad-parameter", "`conversation_id` is no identifier of a conversation.")
    progress = await gateway.conversations.progress(chosen.bot, conversation)
    if progress.user not in (None, caller.user):
        raise Problem("conversation-of-another-user")
    _check_pressure(gateway, chosen, progress)
    files = [await _keep(gateway, caller, chosen, file) for file in said.files]
    # Before the message itself: whoever comes back between the two must find the conversation.
    member = Member(chosen.bot, conversation, progress.outputs)
    await gateway.chat.sessions.join(caller.key, member)
    receipt, _ = await asyncio.gather(
        _accept(gateway, caller, chosen, said, conversation, files), gateway.chat.sessions.announce(caller.key, member)
    )
    await gateway.waker.need(route)
    gateway.metrics.accepted.labels("message", str(receipt.duplicate).lower()).inc()
    turn = said.turn or receipt.turn
    now = status.Status("in_progress", (*progress.open_turns, turn), status.status_of(progress).updated_at)
    await gateway.chat.sessions.tell(caller.key, "conv_status", now.event(caller, conversation, turn))
    return {
        "status": "processing_started",
        "task_id": receipt.event,
        "session_id": caller.session,
        "conversation_id": conversation,
        "turn_id": turn,
        "bundle_id": said.bundle_id or route.name,
        "user_type": chosen.user_type,
        "queued": bool(progress.open_turns),
        "queue_position": len(progress.open_turns),
        "duplicate": receipt.duplicate,
    }


async def deny(gateway: Gateway, caller: Caller, problem: Problem, *, endpoint: str, said: ChatRequest | None) -> None:
    """Tell the caller's own connection that a message was refused."""
    if not caller.connection:
        return
    conversation, turn = (said.conversation, said.turn) if said is not None else ("", "")
    for event, data in denials.events(caller, problem, endpoint=endpoint, conversation=conversation, turn=turn):
        try:
            await gateway.chat.sessions.tell(caller.key, event, data, target=caller.connection)
        except RedisError:
            # It is in the answer as well.
            return


async def _throttle(gateway: Gateway, caller: Caller, chosen: Chosen) -> None:
    exceeded = await gateway.chat.rates.take(caller.namespace, caller.user, chosen.allowance)
    if exceeded is not None:
        raise Problem(
            "rate-limited",
            f"{exceeded.limit} messages of a user of type {chosen.user_type} are allowed "
            f"{'a minute' if exceeded.window == 'burst' else 'an hour'}.",
            retry_after=exceeded.retry_after,
            code="rate_limit_exceeded",
        )
    if wait := gateway.bot_limiter.take(chosen.bot):
        raise Problem("rate-limited", f"All users together send too many messages to {chosen.bot}.", retry_after=wait)


def _check_pressure(gateway: Gateway, chosen: Chosen, progress: Progress) -> None:
    allowed = int(gateway.max_pending * chosen.allowance.pressure)
    if progress.pending >= max(1, allowed):
        raise Problem(
            "under-pressure",
            f"{progress.pending} messages wait; those of users of type {chosen.user_type} are refused from "
            f"{max(1, allowed)} on.",
            retry_after=chosen.allowance.retry_after,
            code="backpressure",
        )


def _check_files(said: ChatRequest) -> None:
    if len(said.files) > attachments.MOST_FILES or sum(len(file.content) for file in said.files) > MAX_BYTES:
        raise too_large()
    for file in said.files:
        if reason := attachments.refusal(file):
            raise Problem("attachment-rejected", f"{file.name} is not taken: {reason}.", code="attachment_rejected")


async def _keep(gateway: Gateway, caller: Caller, chosen: Chosen, file: Attachment) -> dict[str, Any]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(file.content), PIECE_BYTES):
            yield file.content[start : start + PIECE_BYTES]

    limit = gateway.files.limits.file_bytes
    if len(file.content) > limit:
        raise Problem("too-large", f"A file may have {limit} bytes here.")
    try:
        stored = await gateway.files.write(
            chosen.bot,
            user=caller.user,
            name=file.name,
            media_type=file.type,
            size=len(file.content),
            content=pieces(),
        )
    except FilesFull as error:
        raise Problem("files-full", f"The bot's files take the {error.limit} bytes that they may.") from None
    return {"id": stored.id, "name": stored.name, "type": stored.type, "size": stored.size}


async def _accept(
    gateway: Gateway, caller: Caller, chosen: Chosen, said: ChatRequest, conversation: str, files: list[dict[str, Any]]
) -> Accepted:
    principal = caller.principal
    payload = {
        "text": said.text,
        "payload": {},
        "options": [],
        "files": files,
        "user": caller.user,
        "chat": {
            "session_id": caller.session,
            "target_sid": caller.connection,
            "turn_id": said.turn,
            "bundle_id": said.bundle_id or chosen.route.name,
            "tenant": caller.tenant,
            "project": caller.project,
            "user": {
                "user_type": chosen.user_type,
                "user_id": caller.user,
                "username": principal.subject if caller.known else None,
                "fingerprint": None,
                "roles": list(principal.groups),
                "permissions": [],
                "timezone": said.time_zone or None,
                "utc_offset_min": None,
            },
            "chat_history": said.history,
            "operation": said.operation or None,
            "invocation": said.invocation or None,
            "config": said.config,
            "payload": said.payload,
        },
    }
    event = None
    if said.turn:
        # A client that got no answer sends the same turn again; ids of clients are told apart by conversation.
        digest = hashlib.sha256(f"{conversation}\0{said.turn}".encode()).hexdigest()[:24]
        event = f"msg_{digest}"
    await gateway.quotas.check(chosen.bot, caller.user, key=conversation, event=event)
    try:
        return await gateway.inbox.accept(
            chosen.bot,
            key=conversation,
            kind="message",
            payload=payload,
            user=caller.user,
            event_id=event,
            max_pending=gateway.max_pending,
        )
    except NotOwner:
        raise Problem("conversation-of-another-user") from None
    except Overloaded as error:
        raise Problem(
            "overloaded", f"{error.pending} messages wait for this bot already.", retry_after=error.retry_after
        ) from None
