"""The bot's context, its start, and its setup."""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.loop.arguments import parse_bot_args
from botyard.loop.context import RestartRequested, RobotContext
from botyard.loop.declaration import run_bots_in_this_group
from botyard.loop.setup import mix

__all__ = [
    "RestartRequested",
    "RobotContext",
    "official_setup_mixing_procedure",
    "parse_bot_args",
    "run_bots_in_this_group",
]


def official_setup_mixing_procedure(
    marketable_setup_default: Sequence[Mapping[str, Any]], persona_setup: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return a value for each key of the schema; see `botyard.loop.setup.mix`."""
    return mix(marketable_setup_default, persona_setup)
