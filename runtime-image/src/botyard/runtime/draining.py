"""An older revision whose conversations end on it: in workers of its own, beside those of the newest one.

Every state says which revision wrote it. A turn of a conversation that the older revision began runs in its workers,
until the conversation ends or its user begins anew; all others run in the newest revision's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botyard.contract.bot import BotConfig
from botyard.runtime.pool import WorkerPool


@dataclass(frozen=True, slots=True)
class Older:
    """The older revision, running."""

    revision: str
    pool: WorkerPool

    async def start(self, config: BotConfig) -> None:
        """Keep workers from now on."""
        await self.pool.start(_small(config))

    def configure(self, config: BotConfig) -> None:
        """Use another configuration for workers that start from now on."""
        self.pool.configure(_small(config))

    def takes(self, made_by: Mapping[str, str], payload: Mapping[str, Any]) -> bool:
        """Tell whether an event is for this revision.

        Args:
            made_by: What wrote the conversation's state.
            payload: Of the event.
        """
        # On demand: hardly any replica has an older revision, and this has much of the SDK behind it.
        from botyard.fsm.inputs import starts_anew

        return made_by.get("revision") == self.revision and not starts_anew(payload)


@dataclass(frozen=True, slots=True)
class Draining:
    """Where the older revision's workers are."""

    revision: str
    socket_path: Path
    bundle: Path
    """As those workers see it."""

    def older(self, credentials: Callable[[], Mapping[str, str]]) -> Older:
        """Return the revision with a pool that has not begun."""
        return Older(self.revision, WorkerPool(self.socket_path, bundle=self.bundle, credentials=credentials))


def _small(config: BotConfig) -> BotConfig:
    """Return the configuration for few conversations that become fewer."""
    return config.model_copy(update={"limits": config.limits.model_copy(update={"workers": 1})})
