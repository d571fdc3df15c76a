"""What a client is told when its message is refused, beside the answer itself. Pure."""

import time
from collections.abc import Mapping
from typing import Any

from botyard.gateway.chat import wire
from botyard.gateway.chat.callers import Caller
from botyard.gateway.problems import Problem

KINDS: Mapping[str, str] = {
    "unauthenticated": "authentication",
    "forbidden": "authorization",
    "rate-limited": "rate_limit",
    "quota-exceeded": "rate_limit",
    "under-pressure": "backpressure",
    "overloaded": "backpressure",
    "storage-unavailable": "circuit_breaker",
    "authentication-unavailable": "circuit_breaker",
    "bot-not-ready": "circuit_breaker",
}
"""Under which kind the gateway denies a request for a problem; for others the request itself is wrong."""


def events(caller: Caller, problem: Problem, *, endpoint: str, conversation: str, turn: str) -> list[tuple[str, Any]]:
    """Return the events for the client's connection: `gateway.<kind>` for a denial, and `chat_error` in any case."""
    place = {"session_id": caller.session, "conversation_id": conversation or None, "turn_id": turn or None}
    service = {
        "request_id": None,
        "tenant": caller.tenant or caller.namespace,
        "project": caller.project,
        "user": caller.user,
    }
    now = time.time()
    kind = KINDS.get(problem.type.name, "")
    code = problem.code or kind or problem.type.name.replace("-", "_")
    told = {
        "message": problem.detail,
        "error_type": kind or code,
        "http_status": problem.type.status,
        "retry_after": retry_after(problem),
        "endpoint": endpoint,
    }
    found: list[tuple[str, Any]] = []
    if problem.type.name == "overloaded":
        found.append(("chat_service", _event("queue.enqueue_rejected", service, place, "queue", told, now)))
    elif kind:
        found.append(("chat_service", _event(f"gateway.{kind}", service, place, "gateway", told, now)))
    error = {**told, "error": problem.detail, "code": code}
    found.append(("chat_error", _event("chat.error", service, place, "chat.error", error, now)))
    return found


def retry_after(problem: Problem) -> int | None:
    """Return the seconds after which to try again, where the problem says."""
    told = problem.headers.get("Retry-After", "")
    return int(told) if told.isdigit() else None


def _event(
    kind: str,
    service: Mapping[str, Any],
    place: Mapping[str, Any],
    step: str,
    data: Mapping[str, Any],
    now: float,
) -> dict[str, Any]:
    return wire.envelope(
        kind,
        service=service,
        conversation=place,
        step=step,
        status="error",
        title="Request denied",
        agent="gateway",
        data=data,
        now=now,
    )
