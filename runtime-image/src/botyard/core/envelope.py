"""The one shape of everything that goes out (design: the workflow document's event envelope)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botyard.core.address import BotAddress


@dataclass(frozen=True, slots=True)
class TurnIdentity:
    """What every envelope of a turn says about where it comes from."""

    bot: BotAddress
    conversation: str
    turn: str
    event: str
    user: str
    attempt: int


def envelope(
    turn: TurnIdentity,
    *,
    now: float,
    type: str,  # noqa: A002 - the envelope's own word
    step: str,
    status: str,
    title: str | None = None,
    agent: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> str:
    """Return one output event as JSON text.

    Args:
        turn: Whose output it is.
        now: Seconds since the epoch.
        type: For example `bot.message`, `chat.complete`.
        step: What part of the turn speaks.
        status: started, running, completed, error or skipped.
        title: For people, optional.
        agent: Who speaks, optional.
        data: The content.
    """
    stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "type": type,
            "timestamp": stamp,
            "ts": int(now * 1000),
            "service": {
                "request_id": turn.event,
                "tenant": turn.bot.namespace,
                "project": turn.bot.name,
                "user": turn.user,
            },
            "conversation": {
                "session_id": turn.conversation,
                "conversation_id": turn.conversation,
                "turn_id": turn.turn,
            },
            "event": {"step": step, "status": status, "title": title, "agent": agent},
            "attempt": turn.attempt,
            "data": dict(data or {}),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
