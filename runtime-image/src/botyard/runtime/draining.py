"""An older revision beside the newest one, in workers of its own: conversations end on it, or the newest is ramped.

Every state says which revision wrote it. A turn of a conversation that the older revision began runs in its workers,
until the conversation ends or its user begins anew; all others run in the newest revision's. During a ramp they do so
as far as the share goes, and conversations that neither of the two began stay with the older one, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botyard.contract.bot import BotConfig, Ramp
from botyard.runtime.pool import WorkerPool
from botyard.runtime.ramping import in_share


@dataclass(frozen=True, slots=True)
class Older:
    """The older revision, running."""

    revision: str
    newest: str
    """The revision beside it."""
    pool: WorkerPool

    async def start(self, config: BotConfig) -> None:
        """Keep workers from now on."""
        await self.pool.start(self._sized(config))

    def configure(self, config: BotConfig) -> None:
        """Use another configuration for workers that start from now on."""
        self.pool.configure(self._sized(config))

    def ramp(self, config: BotConfig) -> Ramp | None:
        """Return how far the newest revision has got; None: it takes all that does not end here.

        A third one that is to be ramped takes the newest one's place: until it comes, nothing more begins on that.
        """
        found = config.ramp
        if found is None or found.revision == self.revision:
            return None
        return found if found.revision == self.newest else found.model_copy(update={"share": 0})

    def takes(self, key: str, made_by: Mapping[str, str] | None, payload: Mapping[str, Any], config: BotConfig) -> bool:
        """Tell whether an event is for this revision.

        Args:
            key: Its conversation.
            made_by: What wrote the conversation's state; None: it has none.
            payload: Of the event.
            config: As it is now.
        """
        # On demand: hardly any replica has an older revision, and this has much of the SDK behind it.
        from botyard.fsm.inputs import starts_anew

        ramp = self.ramp(config)
        anew = made_by is None or (self.pool.model == "fsm" and starts_anew(payload))
        if made_by is None or anew:
            return ramp is not None and not in_share(ramp, key)
        if ramp is None:
            return made_by.get("revision") == self.revision
        return ramp.share == 0 or made_by.get("revision") != self.newest

    def keeps(self, persona: str, config: BotConfig) -> bool:
        """Tell whether the loop of a Persona belongs here: it has no beginning, and moves when its share comes."""
        ramp = self.ramp(config)
        return self.pool.residents is not None and ramp is not None and not in_share(ramp, persona)

    def _sized(self, config: BotConfig) -> BotConfig:
        """Return the configuration; outside a ramp for few conversations that become fewer."""
        if self.ramp(config) is not None:
            return config
        return config.model_copy(update={"limits": config.limits.model_copy(update={"workers": 1})})


@dataclass(frozen=True, slots=True)
class Draining:
    """Where the older revision's workers are."""

    revision: str
    socket_path: Path
    bundle: Path
    """As those workers see it."""

    def older(self, newest: str, credentials: Callable[[], Mapping[str, str]]) -> Older:
        """Return the revision, beside the newest one, with a pool that has not begun."""
        return Older(self.revision, newest, WorkerPool(self.socket_path, bundle=self.bundle, credentials=credentials))
