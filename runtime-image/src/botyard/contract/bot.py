"""What a runtime pod learns about its Bot from the ConfigMap `<bot>-bot` (file `bot.json`), reloaded live.

What only a restart can change (code, image, resources) is not here but in the pod template.
"""

from typing import Any, Literal

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.model import ModelConfig
from botyard.contract.spending import BotBudget, UserQuotas

ProgrammingModel = Literal["auto", "loop", "fsm", "workflow"]


class Entrypoint(Document):
    """Where the bundle's bot is found."""

    model: ProgrammingModel = "auto"
    module: str = ""
    """Dotted module below the bundle's folder; empty: found by inspection."""
    symbol: str = ""
    """Class or function in the module; empty: found by inspection."""


class Limits(Document):
    """Bounds of the work of one replica."""

    turn_timeout_seconds: float = 600.0
    max_input_bytes: int = 1_048_576
    concurrency: int = Field(default=32, ge=1)
    """Turns that run at once in one replica, over all keys."""
    workers: int = Field(default=1, ge=1)
    """Worker processes in one replica."""
    max_attempts: int = Field(default=3, ge=1)
    """Runs of one event before it goes to the dead letters."""


OnIncompatibleState = Literal["Block", "Drain", "Reset"]
"""What becomes of stored sessions that a new revision cannot go on with; see `Rollout` of the kind Bot."""


class Ramp(Document):
    """How far a new revision has got that takes over step by step, beside the one that ran before."""

    id: str
    """Of this attempt: decides which conversations come first, and under which name turns are counted."""
    revision: str
    """The new one: on a newer replica of another, beside the revision before, no conversation begins any more."""
    share: int = Field(default=0, ge=0, le=100)
    """Percentage of new conversations that begin on it; 0: all go on with the revision before."""


class BotConfig(Document):
    """One Bot as its pods and the gateway see it."""

    namespace: str
    name: str
    generation: int = 0
    partitions: int = Field(default=16, ge=1, le=256)
    entrypoint: Entrypoint = Entrypoint()
    limits: Limits = Limits()
    config: dict[str, Any] = Field(default_factory=dict)
    """Free-form properties handed to the bundle."""
    budget: BotBudget = BotBudget()
    quotas: UserQuotas = UserQuotas()
    """Limits for each user."""
    on_incompatible_state: OnIncompatibleState = "Block"
    """Reset: a session that cannot be restored begins anew; otherwise its turn fails and says so."""
    model: ModelConfig | None = None
    """What model calls use; None: the Bot has no model."""
    ramp: Ramp | None = None
    """None: no revision is ramped."""
