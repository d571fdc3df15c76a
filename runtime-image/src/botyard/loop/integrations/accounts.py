"""Integrations with services that need an account: their tools exist, and say what is missing when they are called."""

from collections.abc import Awaitable, Callable
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.tools import CloudTool, FCloudtoolCall

ACCOUNTS = {
    "airtable": "Airtable",
    "discord": "Discord",
    "erp": "ERP",
    "facebook": "Facebook",
    "gmail": "Google",
    "google_ads": "Google",
    "google_business": "Google",
    "google_calendar": "Google",
    "google_docs": "Google",
    "google_sheets": "Google",
    "hubspot": "HubSpot",
    "jira": "Jira",
    "linkedin": "LinkedIn",
    "notion": "Notion",
    "resend": "Resend",
    "shopify": "Shopify",
    "slack": "Slack",
    "telegram": "Telegram",
    "twilio": "Twilio",
    "x": "X",
}
"""Whose account each integration needs, by the integration's name."""


def tool(name: str) -> CloudTool:
    """Return the tool of such an integration; its arguments are the kit's usual `{op, args}`."""
    parameters = {"type": "object", "properties": {"op": {"type": "string"}, "args": {"type": "object"}}}
    return CloudTool(
        strict=False, name=name, description=f"{ACCOUNTS[name]}: begin with op=help.", parameters=parameters
    )


def missing(name: str) -> str:
    """Return what is said where the account is asked for."""
    return (
        f"{name} is not connected: Botyard has no account of {ACCOUNTS[name]} for this bot. Do not call it again; "
        "say that it is not available."
    )


def starter(name: str, made: CloudTool) -> Callable[[RobotContext, dict[str, Any]], Awaitable[Any]]:
    """Return what registers the handler that says what is missing."""

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> "Unconnected":
        del setup

        @rcx.on_tool_call(made.name)
        async def say(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return missing(name)

        return Unconnected(name)

    return start


class Unconnected:
    """An integration without its account: whatever a bot asks of it says what is missing."""

    def __init__(self, name: str, *_: Any, **__: Any) -> None:
        self.name = name

    async def called_by_model(self, *_: Any, **__: Any) -> str:
        """Return what the model is told."""
        return missing(self.name)

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def __getattr__(self, name: str) -> Any:
        """Return a function that says what is missing when it is called."""
        if name.startswith("__"):
            raise AttributeError(name)

        async def refuse(*_: Any, **__: Any) -> Any:
            raise RuntimeError(missing(self.name))

        return refuse
