"""From an event of the runtime to the task and parameters of a workflow's turn.

What the workflow channels know beyond the text (session, user, settings) lies in the event's payload under `chat`:

    session_id, target_sid, turn_id (the client's own), request_id, bundle_id, tenant, project,
    user: {user_type, user_id, username, fingerprint, roles, permissions, timezone, utc_offset_min},
    chat_history, operation, invocation, config, payload

Only channels of the gateway write it; clients of the native API have no way to.
"""

from collections.abc import Mapping
from typing import Any

from botyard.program import TurnRequest
from botyard.workflow import attachments, history
from botyard.workflow.protocol import ChatTaskPayload

CHAT = "chat"
_OWN = ("text", "attachments")


def task_of(request: TurnRequest, *, tenant: str = "", project: str = "") -> ChatTaskPayload:
    """Return the task that a workflow gets as its `comm_context`."""
    given = request.payload
    chat = given.get(CHAT) or {}
    user = {"user_id": given.get("user"), "user_type": "registered"} | dict(chat.get("user") or {})
    payload = {**(given.get("payload") or {}), **(chat.get("payload") or {})}
    if request.kind != "message":
        payload = {"event_kind": request.kind, **{k: v for k, v in given.items() if k not in (CHAT, "user")}, **payload}
    if options := given.get("options"):
        payload["options"] = options
    return ChatTaskPayload.model_validate(
        {
            "meta": {"task_id": request.event},
            "routing": {
                "session_id": chat.get("session_id") or request.key,
                "conversation_id": request.key,
                "turn_id": chat.get("turn_id") or request.turn,
                "socket_id": chat.get("target_sid"),
                "bundle_id": chat.get("bundle_id"),
            },
            "actor": {"tenant_id": chat.get("tenant") or tenant, "project_id": chat.get("project") or project},
            "user": user,
            "request": {
                "message": given.get("text") or "",
                "chat_history": chat.get("chat_history") or history.messages(request.state),
                "operation": chat.get("operation"),
                "invocation": chat.get("invocation"),
                "payload": payload,
                "request_id": chat.get("request_id") or request.event,
            },
            "config": {"values": chat.get("config") or {}},
        }
    )


def params_of(request: TurnRequest, task: ChatTaskPayload) -> dict[str, Any]:
    """Return what `run` gets: the payload's members, `text` and `attachments`."""
    members = {name: value for name, value in task.request.payload.items() if _is_name(name)}
    return {
        **members,
        "text": task.request.message,
        "attachments": attachments.of_files(request.payload.get("files") or []),
    }


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and name not in _OWN


def settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client may choose of a `Config`."""
    return {name: values[name] for name in ("selected_model",) if isinstance(values.get(name), str)}
