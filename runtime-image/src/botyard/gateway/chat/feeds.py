"""Feeds of connections, with what their users are shown."""

from typing import Any

from botyard.gateway.chat import callers, status
from botyard.gateway.chat.callers import Caller
from botyard.gateway.chat.feed import Feed, Shown
from botyard.gateway.chat.registry import Member
from botyard.gateway.chat.wire import Positions, Sent
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem
from botyard.gateway.visibility import visible


def open_feed(gateway: Gateway, caller: Caller, positions: Positions) -> Feed:
    """Return the feed of a connection.

    Args:
        gateway: The gateway.
        caller: Whose connection.
        positions: How far its client is.
    """

    async def shown(member: Member) -> Shown:
        # Asked for each bot: who acts for others with one is nobody special with another.
        try:
            chosen = await callers.choose(gateway, caller, member.bot.name)
        except Problem:
            return lambda event: False
        privileged = chosen.user_type == "privileged"

        if privileged:
            return lambda event: True

        def is_shown(event: Sent) -> bool:
            route = gateway.table.find(member.bot.namespace, member.bot.name) or chosen.route
            return visible(event.type, allow=route.events_allow, privileged=False, audience=event.audience)

        return is_shown

    async def told(member: Member) -> dict[str, Any]:
        progress = await gateway.conversations.progress(member.bot, member.conversation)
        return status.status_of(progress).event(caller, member.conversation)

    return Feed(
        gateway.outputs,
        gateway.conversations,
        gateway.chat.hub,
        gateway.chat.sessions,
        caller.key,
        connection=caller.connection,
        shown=shown,
        told=told,
        positions=positions,
    )
