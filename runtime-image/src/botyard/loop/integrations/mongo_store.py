"""The integration `mongo_store`: an expert keeps files in the Persona's MongoDB."""

from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import FCloudtoolCall


def integration(settings: Settings) -> Integration:
    """Return the integration."""
    del settings
    # Bots that register the tool themselves import it from there.
    from flexus_client_kit.integrations.fi_mongo_store import MONGO_STORE_TOOL, handle_mongo_store

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> None:
        del setup

        @rcx.on_tool_call(MONGO_STORE_TOOL.name)
        async def called(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await handle_mongo_store(rcx, toolcall, args)

    return Integration("mongo_store", [MONGO_STORE_TOOL], start)
