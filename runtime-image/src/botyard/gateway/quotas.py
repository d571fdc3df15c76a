"""Quotas of users at the gateway: a message that the bot would refuse anyway is not accepted.

The quotas are those that the bot's replicas have in force, and replicas count; what is accepted here may still be more
than a quota allows, and is refused by them then.
"""

from botyard.budget.reports import Reports
from botyard.contract.spending import UserQuotas
from botyard.core.address import BotAddress
from botyard.core.inbox import Inbox
from botyard.gateway.cache import ExpiringCache
from botyard.gateway.problems import Problem

FRESH = 2.0
"""Seconds for which the quotas of a bot are remembered: without any, messages cost nothing more."""
BOTS = 10_000
"""Bots whose quotas are remembered."""


class QuotaGate:
    """Knows whose requests of the day are spent."""

    def __init__(self, spending: Reports, inbox: Inbox) -> None:
        """Prepare.

        Args:
            spending: Where replicas tell and count.
            inbox: Knows what was accepted before.
        """
        self._spending = spending
        self._inbox = inbox
        self._quotas: ExpiringCache[BotAddress, UserQuotas] = ExpiringCache(BOTS)

    async def check(self, bot: BotAddress, user: str, *, key: str, event: str | None) -> None:
        """Let a user's message pass.

        Args:
            bot: To which.
            user: Whose quota it counts in.
            key: Its conversation.
            event: Its id, where the client gave one: what was accepted before is answered as before.

        Raises:
            Problem: `quota-exceeded`, with the seconds until midnight.
        """
        quotas = await self._quotas.get_or_load(bot, lambda: self._load(bot))
        most = quotas.requests_per_day
        if most is None:
            return
        used, left_ms = await self._spending.requests_today(bot, user)
        if used < most or (event is not None and await self._inbox.knows(bot, key, event)):
            return
        detail = (
            f"{user} has had as many requests of the day as {bot} allows ({most}); more are taken from midnight UTC."
        )
        raise Problem("quota-exceeded", detail, retry_after=left_ms / 1000)

    async def _load(self, bot: BotAddress) -> tuple[UserQuotas, float]:
        return await self._spending.quotas(bot), FRESH
