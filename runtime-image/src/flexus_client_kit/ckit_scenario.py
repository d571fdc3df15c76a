"""What bots ask of a scenario that runs them."""

from typing import Any

from botyard.loop.calls import NOT_INVENTED
from botyard.loop.errors import PlatformError

__all__ = ["scenario_generate_tool_result_via_model"]


async def scenario_generate_tool_result_via_model(client: Any, toolcall: Any, source: Any = "", **more: Any) -> str:
    """Refuse: results of tools are not invented by a model here, a scenario's file gives them.

    Raises:
        PlatformError: Always; it says what to write.
    """
    name = getattr(toolcall, "fcall_name", "this tool")
    raise PlatformError(NOT_INVENTED.format(tool=name), "NoResult")
