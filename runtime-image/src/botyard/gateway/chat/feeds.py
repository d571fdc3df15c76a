"""Feeds of connections, with what their users are shown."""

from botyard.gateway.chat.callers import Caller
from botyard.gateway.chat.feed import Feed
from botyard.gateway.chat.registry import Member
from botyard.gateway.chat.wire import Positions, Sent
from botyard.gateway.context import Gateway
from botyard.gateway.visibility import visible


def open_feed(gateway: Gateway, caller: Caller, positions: Positions, *, privileged: bool) -> Feed:
    """Return the feed of a connection.

    Args:
        gateway: The gateway.
        caller: Whose connection.
        positions: How far its client is.
        privileged: The user receives everything.
    """

    def shown(member: Member, event: Sent) -> bool:
        route = gateway.table.find(member.bot.namespace, member.bot.name)
        allow = frozenset(route.events_allow) if route is not None else frozenset[str]()
        return visible(event.type, allow=allow, privileged=privileged, audience=event.audience)

    return Feed(
        gateway.outputs,
        gateway.conversations,
        gateway.chat.hub,
        gateway.chat.sessions,
        caller.key,
        connection=caller.connection,
        shown=shown,
        positions=positions,
    )
