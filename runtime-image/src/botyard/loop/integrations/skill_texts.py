"""The integration `skills`: an expert reads how to do something when it needs to know."""

from typing import Any

from botyard.loop import skills
from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import FCloudtoolCall


def integration(settings: Settings) -> Integration:
    """Return the integration with the skills that the bot names; all of its folder where it names none."""
    found = skills.find(settings.root, ",".join(settings.skills) or "*")

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> None:
        del setup

        @rcx.on_tool_call(skills.FETCH.name)
        async def fetch(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await skills.fetch(found, args)

    return Integration("skills", [skills.FETCH], start)
