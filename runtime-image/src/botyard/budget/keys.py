"""Names of the ledger's keys. All keys of one bot share a hash tag: a reservation over all levels is one script.

Accounts and holds are found by the scripts from the prefix, in the same slot.
"""

from botyard.core.address import BotAddress

CHANGES = "by:spending"
"""Sorted set `namespace/bot` → milliseconds: which bots' spending changed last, for the operator."""


def prefix(bot: BotAddress) -> str:
    """What all keys of a bot's ledger begin with.

    `<prefix>a:<account>[:<period>]`   hash of one account
    `<prefix>h:<call>`                 hash of one hold, kept for a while after it is settled
    """
    return f"by:{{{bot.namespace}/{bot.name}}}:budget:"


def holds(bot: BotAddress) -> str:
    """Sorted set of the open holds by the time at which they lapse, in milliseconds of Redis' clock."""
    return f"{prefix(bot)}holds"


def periods(bot: BotAddress) -> str:
    """Sorted set of `<account>:<period>` by the period's start in milliseconds: the history."""
    return f"{prefix(bot)}periods"


def asks(bot: BotAddress) -> str:
    """Hash account with period → JSON of what somebody is asked to grant."""
    return f"{prefix(bot)}asks"


QUOTAS = "quotas"
"""Of the users, among the terms."""


def terms(bot: BotAddress) -> str:
    """Hash `bot`, `persona:<name>` or QUOTAS → JSON of what the replicas have in force, for reports."""
    return f"{prefix(bot)}terms"


def grants(bot: BotAddress) -> str:
    """Capped stream of what was granted, by whom."""
    return f"{prefix(bot)}grants"


def account(bot: BotAddress, name: str) -> str:
    """Hash of one account, by its name with its period."""
    return f"{prefix(bot)}a:{name}"


def hold(bot: BotAddress, call: str) -> str:
    """Hash of one hold."""
    return f"{prefix(bot)}h:{call}"
