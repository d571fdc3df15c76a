"""What a conversation is at: `conv_status`."""

import time
from dataclasses import dataclass
from typing import Any

from botyard.core.conversations import Progress
from botyard.gateway.access import CONVERSATION
from botyard.gateway.chat import callers, wire
from botyard.gateway.chat.callers import Caller
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a conversation, for the clients of its session."""

    state: str
    """`idle`, or `in_progress` while a turn waits or runs."""
    turns: tuple[str, ...]
    updated_at: float

    def event(self, caller: Caller, conversation: str, turn: str = "") -> dict[str, Any]:
        """Return the event that tells it."""
        current = turn or (self.turns[0] if self.turns else None)
        return wire.envelope(
            "conv.status",
            service={
                "request_id": None,
                "tenant": caller.tenant or caller.namespace,
                "project": caller.project,
                "user": caller.user,
            },
            conversation={"session_id": caller.session, "conversation_id": conversation, "turn_id": current},
            step="conv.state",
            status=self.state,
            data={
                "conversation_id": conversation,
                "state": self.state,
                "updated_at": self.updated_at,
                "current_turn_id": current,
                "waiting": len(self.turns),
            },
            now=self.updated_at,
        )


def status_of(progress: Progress) -> Status:
    """Return the state that a conversation's progress means."""
    return Status("in_progress" if progress.open_turns else "idle", progress.open_turns, time.time())


async def ask(gateway: Gateway, caller: Caller, body: Any) -> dict[str, Any]:
    """Return the event of the state of the conversation that a client asks for; one that does not exist yet is idle.

    Args:
        gateway: The gateway.
        caller: Who asks.
        body: {conversation_id, bundle_id?}; without a bundle the one that the conversation of the session is with.

    Raises:
        Problem: `conversation-of-another-user`, `bad-parameter`, or as `callers.choose`.
    """
    content = body if isinstance(body, dict) else {}
    conversation, bundle = (str(content.get(name) or "")[:200] for name in ("conversation_id", "bundle_id"))
    if not CONVERSATION.fullmatch(conversation):
        raise Problem("bad-parameter", "`conversation_id` is missing, or no identifier of a conversation.")
    if not bundle:
        members = await gateway.chat.sessions.members(caller.key)
        bundle = next((each.bot.name for each in members if each.conversation == conversation), "")
    chosen = await callers.choose(gateway, caller, bundle)
    progress = await gateway.conversations.progress(chosen.bot, conversation)
    if progress.user not in (None, caller.user) and chosen.user_type != "privileged":
        raise Problem("conversation-of-another-user")
    return status_of(progress).event(caller, conversation)
