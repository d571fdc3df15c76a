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
    session: str = ""
    """The session that the conversation belongs to; empty: it is one of its own."""
    tenant: str = ""
    """For whom the platform works; empty: the namespace."""
    project: str = ""
    """The tenant's project; empty: the bot."""
    target: str = ""
    """The one connection of the session that asked; empty: all of them are answered."""
    shown: str = ""
    """The client's own id of the turn, which its events carry; empty: `turn`."""
    person: Mapping[str, Any] | None = None
    """The user in full (`service.user_obj`), where the channel tells it."""


MEMBERS = ("delta", "text", "idx", "extra", "route")
"""What an envelope may have beside what all have."""


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
    members: Mapping[str, Any] | None = None,
    delivery: Mapping[str, Any] | None = None,
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
        members: Further members, as far as MEMBERS names them; one with `delta` has no `data`. `markdown` goes into
            `event`.
        delivery: How it travels, for channels and the gateway, which take it out; empty: as its type says.
    """
    stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    given = members or {}
    service: dict[str, Any] = {
        "request_id": turn.event,
        "tenant": turn.tenant or turn.bot.namespace,
        "project": turn.project or turn.bot.name,
        "user": turn.user,
    }
    if turn.person is not None:
        service["user_obj"] = turn.person
    event: dict[str, Any] = {"step": step, "status": status, "title": title, "agent": agent}
    if "markdown" in given:
        event["markdown"] = given["markdown"]
    content: dict[str, Any] = {"type": type}
    if turn.target and not (delivery or {}).get("broadcast"):
        delivery = {**(delivery or {}), "target": turn.target}
    if delivery:
        content["delivery"] = delivery
    content |= {
        "timestamp": stamp,
        "ts": int(now * 1000),
        "service": service,
        "conversation": {
            "session_id": turn.session or turn.conversation,
            "conversation_id": turn.conversation,
            "turn_id": turn.shown or turn.turn,
        },
        "event": event,
        "attempt": turn.attempt,
    }
    content |= {name: given[name] for name in MEMBERS if name in given}
    if "delta" not in given:
        content["data"] = dict(data or {})
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
