"""The integration `print_widget`: an expert shows something to the person in the thread, beside its words."""

from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import CloudTool, FCloudtoolCall

TOOL = CloudTool(
    strict=True,
    name="print_widget",
    description="Show a widget to the person in this thread: a button that uploads, opens a page, or restarts.",
    parameters={
        "type": "object",
        "properties": {
            "t": {"type": "string", "description": "Type of the widget."},
            "q": {"type": "string", "description": "What it says or opens."},
        },
        "required": ["t", "q"],
        "additionalProperties": False,
    },
)


def integration(settings: Settings) -> Integration:
    """Return the integration."""
    del settings

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> None:
        del setup

        @rcx.on_tool_call(TOOL.name)
        async def show(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            # Clients show widgets from the call itself, which is part of the thread.
            return f"The widget {args.get('t')!r} is shown to the person."

    return Integration("print_widget", [TOOL], start)
