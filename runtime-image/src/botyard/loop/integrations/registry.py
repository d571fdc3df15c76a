"""Which integrations there are, by the names that bots ask for."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.integrations import accounts
from botyard.loop.tools import CloudTool

_NAME = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(?:\[([^\[\]]*)\])?\s*")
MODULES = {
    "flexus_policy_document": "policy_documents",
    "http": "http",
    "kanban": "kanban",
    "mcp": "mcp",
    "mongo_store": "mongo_store",
    "postgres": "postgres",
    "print_widget": "print_widget",
    "schedules": "schedules",
    "skills": "skill_texts",
}
"""Modules of this package whose `integration(settings)` makes the integration of a name."""


class UnknownIntegration(ValueError):
    """No integration has this name; the message says which there are."""


@dataclass(frozen=True)
class Settings:
    """What a bot says when it asks for an integration.

    Attributes:
        parts: What stands in brackets behind the name, such as `meta` and `data` of `erp[meta, data]`.
        root: The bot's folder.
        skills: Names of the skills that the bot has.
    """

    parts: tuple[str, ...] = ()
    root: Path = Path()
    skills: tuple[str, ...] = ()


Start = Callable[[RobotContext, dict[str, Any]], Awaitable[Any]]
"""Registers handlers in a loop that begins, and returns what the bot may use of the integration: (rcx, setup)."""


@dataclass
class Integration:
    """One integration of one bot."""

    name: str
    tools: list[CloudTool]
    start: Start
    provider: str = ""
    """Whose account it needs; empty: none."""
    setup: list[dict[str, Any]] = field(default_factory=list)
    """Keys of the setup that it needs."""


def names() -> list[str]:
    """Return the names of all integrations."""
    return sorted({*MODULES, *accounts.ACCOUNTS})


def make(asked: str, settings: Settings) -> Integration:
    """Return the integration that a bot asks for, such as `skills` or `erp[meta, data]`.

    Raises:
        UnknownIntegration: There is none.
    """
    found = _NAME.fullmatch(asked)
    name = found[1] if found else asked
    parts: Sequence[str] = [part.strip() for part in (found[2] or "").split(",") if part.strip()] if found else ()
    with_parts = Settings(tuple(parts), settings.root, settings.skills)
    if name in MODULES:
        module = import_module(f"botyard.loop.integrations.{MODULES[name]}")
        made: Integration = module.integration(with_parts)
        return made
    if name in accounts.ACCOUNTS:
        tool, provider = accounts.tool(name), accounts.ACCOUNTS[name]
        return Integration(name, [tool], accounts.starter(name, tool), provider=provider)
    raise UnknownIntegration(f"there is no integration {asked!r}; there are: {', '.join(names())}")
