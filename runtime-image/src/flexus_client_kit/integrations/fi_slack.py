"""Slack: its setup exists, an account of it does not."""

from typing import Any

from botyard.loop.integrations.accounts import Unconnected, tool

__all__ = ["SLACK_SETUP_SCHEMA", "SLACK_TOOL", "IntegrationSlack"]

SLACK_TOOL = tool("slack")
SLACK_SETUP_SCHEMA: list[dict[str, Any]] = [
    {
        "bs_name": name,
        "bs_type": "string_long" if name.endswith("TOKEN") else "string_short",
        "bs_default": "",
        "bs_group": "Slack",
        "bs_description": description,
    }
    for name, description in (
        ("SLACK_BOT_TOKEN", "Token of the bot, xoxb-…"),
        ("SLACK_APP_TOKEN", "Token of the app, xapp-…"),
        ("slack_should_join", "Channels to join, separated by commas"),
    )
]
"""Keys that a bot adds to its own setup schema."""


class IntegrationSlack(Unconnected):
    """Says what is missing, whatever is asked of it."""

    def __init__(self, *positional: Any, **options: Any) -> None:
        """Take what the existing kit's class takes."""
        super().__init__("slack", *positional, **options)
