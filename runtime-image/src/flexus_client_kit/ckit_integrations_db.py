"""Integrations that a bot takes over by name; see `botyard.loop.integrations`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.integrations import Integration, Settings, make
from botyard.loop.tools import CloudTool
from flexus_client_kit.ckit_mongo import personal_database
from flexus_client_kit.integrations.fi_pdoc import IntegrationPdoc

__all__ = [
    "GOOGLE_OAUTH_BASE_SCOPES",
    "IntegrationRecord",
    "main_loop_integrations_init",
    "static_integrations_load",
]

GOOGLE_OAUTH_BASE_SCOPES = ["openid", "email", "profile"]
"""What every Google account is asked for."""

_USED_BY_CODE = {"flexus_policy_document": IntegrationPdoc}
"""What the bot's own code uses, beside the tool that an expert calls."""


@dataclass
class IntegrationRecord:
    """One integration of a bot, before any loop begins."""

    integr_name: str
    integr_tools: list[CloudTool] = field(default_factory=list)
    integr_provider: str = ""
    """Whose account it needs; empty: none."""
    integr_setup: list[dict[str, Any]] = field(default_factory=list)
    integr_prompt: str = ""
    integr_scopes: list[str] = field(default_factory=list)
    integration: Integration | None = None


def static_integrations_load(
    bot_root_dir: str | Path, allowlist: Sequence[str] | str, builtin_skills: Sequence[str] = (), **more: Any
) -> list[IntegrationRecord]:
    """Return the integrations that a bot asks for by name, such as `["skills", "erp[meta, data]"]`.

    Args:
        bot_root_dir: The bot's folder.
        allowlist: Names, each with its parts in brackets where it has some.
        builtin_skills: Names of the bot's skills.
        more: Other options of the existing kit; not used.

    Raises:
        UnknownIntegration: There is no integration of a name.
    """
    del more
    asked = [allowlist] if isinstance(allowlist, str) else list(allowlist)
    settings = Settings(root=Path(bot_root_dir), skills=tuple(builtin_skills))
    records = []
    for name in asked:
        made = make(name, settings)
        records.append(
            IntegrationRecord(
                made.name, list(made.tools), made.provider, integr_setup=list(made.setup), integration=made
            )
        )
    return records


async def main_loop_integrations_init(
    records: Sequence[IntegrationRecord],
    rcx: RobotContext,
    setup: dict[str, Any] | None = None,
    need_mongo: bool = False,
) -> dict[str, Any]:
    """Begin a bot's integrations in a loop: their tools get handlers. Returns what each offers, by its name.

    Args:
        records: As `static_integrations_load` returned them.
        rcx: The loop's context.
        setup: The Persona's setup.
        need_mongo: Whether `rcx.personal_mongo` is to be connected, too.
    """
    if need_mongo:
        rcx.personal_mongo = await personal_database(rcx)
    begun: dict[str, Any] = {}
    for record in records:
        if record.integration is not None:
            offered = await record.integration.start(rcx, dict(setup or {}))
            if offered is None and (kind := _USED_BY_CODE.get(record.integr_name)) is not None:
                offered = kind(rcx)
            begun[record.integr_name] = offered
    return begun
