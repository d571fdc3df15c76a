"""Names of the keys of usage. All keys of one bot share a hash tag: recording an event is one script."""

from botyard.core.address import BotAddress

WANTED = "by:usage:wanted"
"""String, expires: somebody writes events to a storage, so they are to be kept until it has."""


def _tag(bot: BotAddress) -> str:
    return f"by:{{{bot.namespace}/{bot.name}}}:usage"


def seen(bot: BotAddress, event: str) -> str:
    """String: this event was recorded; expires."""
    return f"{_tag(bot)}:seen:{event}"


def spool(bot: BotAddress) -> str:
    """Stream of events that no storage has yet."""
    return f"{_tag(bot)}:spool"


def day(bot: BotAddress, name: str) -> str:
    """Hash `service type|component|model|what` → number, of one day in UTC (`2026-11-21`)."""
    return f"{_tag(bot)}:day:{name}"


def turn(bot: BotAddress, name: str) -> str:
    """The same of one turn."""
    return f"{_tag(bot)}:turn:{name}"


def writer(bot: BotAddress) -> str:
    """String: the process that writes the spool; expires."""
    return f"{_tag(bot)}:writer"
