"""What a workflow knows of its turn, and what of it goes out with `chat.complete`."""

import time
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

APP_STATE_KEYS: tuple[str, ...] = (
    "context",
    "request_id",
    "tenant",
    "project",
    "user",
    "session_id",
    "text",
    "attachments",
    "final_answer",
    "followups",
    "error_message",
    "step_logs",
)
"""Always in what goes out."""
OPTIONAL_KEYS: tuple[str, ...] = ("execution_id", "start_time")
"""Goes out where the bundle returns it."""
IDENTITY_KEYS: tuple[str, ...] = (
    "request_id",
    "tenant",
    "project",
    "user",
    "session_id",
    "text",
    "attachments",
)
"""What the turn knows when its bundle does not return it."""


class BundleState(TypedDict, total=False):
    """One turn; bundles may keep more in it."""

    request_id: str
    tenant: str
    project: str
    user: str | None
    user_type: str
    session_id: str
    conversation_id: str | None
    turn_id: str | None
    text: str
    attachments: list[dict[str, Any]]
    history: list[Any]
    final_answer: str | None
    followups: list[str]
    error_message: str | None
    step_logs: list[Any]
    execution_id: str
    start_time: float
    context: dict[str, Any]


def initial_state(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a turn that begins.

    Args:
        payload: What the turn was asked: {text, attachments, request_id, tenant, …}; `message` is taken for `text`,
            `history` for `chat_history`.
    """
    now = time.time()
    return {
        "request_id": payload.get("request_id") or uuid.uuid4().hex,
        "tenant": payload.get("tenant"),
        "project": payload.get("project"),
        "user": payload.get("user") or payload.get("user_id"),
        "user_type": payload.get("user_type") or "anonymous",
        "session_id": payload.get("session_id"),
        "conversation_id": payload.get("conversation_id"),
        "turn_id": payload.get("turn_id") or f"turn_{uuid.uuid4().hex}",
        "text": str(payload.get("text") or payload.get("message") or "").strip(),
        "attachments": list(payload.get("attachments") or []),
        "history": list(payload.get("history") or payload.get("chat_history") or []),
        "final_answer": payload.get("final_answer"),
        "followups": list(payload.get("followups") or []),
        "error_message": payload.get("error_message"),
        "step_logs": list(payload.get("step_logs") or []),
        "start_time": payload.get("start_time") or now,
        "execution_id": payload.get("execution_id") or f"exec_{int(now * 1000)}",
    }


def project(state: Mapping[str, Any], *, bundle: str) -> dict[str, Any]:
    """Return what goes out of a state or result.

    Args:
        state: What a bundle returned.
        bundle: Its id, for `context`.
    """
    context = state.get("context")
    out: dict[str, Any] = {key: state.get(key) for key in APP_STATE_KEYS}
    out["context"] = {**(context if isinstance(context, Mapping) else {}), "bundle": bundle}
    return out | {key: state[key] for key in OPTIONAL_KEYS if state.get(key) is not None}
