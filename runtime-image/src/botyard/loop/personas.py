"""A Persona as bots see it."""

from dataclasses import dataclass, field
from typing import Any

from botyard.contract.persona import PersonaConfig


@dataclass
class FPersonaOutput:
    """The hired instance that a loop works for. Source: the document's table of `rcx.persona`."""

    persona_id: str
    persona_name: str = ""
    persona_setup: dict[str, Any] = field(default_factory=dict)
    ws_id: str = ""
    """The namespace: what is kept apart from everybody else's."""
    ws_root_group_id: str = ""
    ws_timezone: str = "UTC"
    persona_marketable_name: str = ""
    persona_marketable_version: int = 0
    persona_daily_budget: int = 0
    """Coins a day; 0: no limit of its own."""
    persona_daily_coins: int = 0
    """Coins spent today."""
    located_fgroup_id: str = ""
    owner_fuser_id: str = ""
    persona_archived_ts: float = 0.0


def persona_of(config: PersonaConfig, *, namespace: str, bot: str, version: int = 0) -> FPersonaOutput:
    """Return a Persona as its configuration has it.

    Args:
        config: From the Bot's ConfigMaps.
        namespace: The Bot's namespace; it is workspace and root group.
        bot: Name under which the bundle runs its bot.
        version: The bundle's version as one number.
    """
    return FPersonaOutput(
        persona_id=config.name,
        persona_name=config.display_name or config.name,
        persona_setup=dict(config.setup),
        ws_id=namespace,
        ws_root_group_id=namespace,
        ws_timezone=config.budget.time_zone,
        persona_daily_budget=config.budget.daily or 0,
        persona_marketable_name=bot,
        persona_marketable_version=version,
        located_fgroup_id=namespace,
    )
