"""Calls of the channels of workflow clients."""

from botyard.gateway.chat import sse
from botyard.gateway.models.chat import ChatAccepted, ChatStatus
from botyard.gateway.operations.operation import Operation, Parameter

_CHAT = (
    Parameter("stream_id", "query", "The client's own name of its stream; answers go to it alone."),
    Parameter("user_session_id", "query", "The session; all streams of one session share its conversations."),
    Parameter("bearer_token", "query", "The token, for clients that cannot send headers."),
    Parameter("tenant", "query", "Namespace of the bots, where the gateway serves several."),
    Parameter("project", "query", "Told back in events."),
)
_CHAT_PROBLEMS = ("bad-parameter", "unauthenticated", "authentication-unavailable", "storage-unavailable")
CHAT_BODY = "application/json; charset=utf-8"
"""Of the channels of workflow clients; no model, since they are tolerant."""

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/sse/stream",
        sse.stream_chat,
        "Open the event stream of a session (docs/workflow-channels.md)",
        200,
        streams=True,
        problems=(*_CHAT_PROBLEMS, "too-many-streams", "draining"),
        parameters=(
            *_CHAT,
            Parameter("Last-Event-ID", "header", "Go on after this event; wins over `after`."),
            Parameter("after", "query", "Go on after this event."),
        ),
    ),
    Operation(
        "POST",
        "/sse/chat",
        sse.post_chat,
        "Say something in a session; the answer comes over its stream",
        200,
        answer=ChatAccepted,
        body=CHAT_BODY,
        problems=(
            *_CHAT_PROBLEMS,
            "malformed-json",
            "missing-message",
            "unknown-bundle",
            "input-too-long",
            "attachment-rejected",
            "forbidden",
            "conversation-of-another-user",
            "timeout",
            "length-required",
            "too-large",
            "invalid-body",
            "rate-limited",
            "overloaded",
            "bot-not-ready",
            "under-pressure",
            "files-full",
        ),
        parameters=_CHAT,
    ),
    Operation(
        "POST",
        "/sse/conv_status.get",
        sse.get_chat_status,
        "Tell whether a conversation is busy, in the answer and over the stream",
        200,
        answer=ChatStatus,
        body=CHAT_BODY,
        problems=(
            *_CHAT_PROBLEMS,
            "malformed-json",
            "unknown-bundle",
            "forbidden",
            "conversation-of-another-user",
            "timeout",
            "too-large",
        ),
        parameters=_CHAT,
    ),
)
