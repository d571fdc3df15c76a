"""What a bundle's workflow with quotas derives from."""

from typing import Any

from redis.asyncio import Redis

from botyard.budget.direct import DirectTreasury
from botyard.core.address import BotAddress
from botyard.workflow import economic_entrypoint
from botyard.workflow.economics.treasury import Treasury
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint

__all__ = ["BaseEntrypointWithEconomics"]


class BaseEntrypointWithEconomics(economic_entrypoint.BaseEntrypointWithEconomics, BaseEntrypoint):
    """`botyard.workflow.BaseEntrypointWithEconomics`, for hosts that run workflows themselves as well.

    There quotas are counted on the Redis that the host gives; without one nobody is limited.
    """

    def _direct_treasury(self) -> Treasury:
        redis: Any = self.redis
        if not isinstance(redis, Redis):
            return super()._direct_treasury()
        tenant, project = self._actor
        return DirectTreasury(redis, BotAddress(tenant, project), self._turn_key())
