"""X: what an account would be asked for; there is none."""

from typing import Any

from botyard.loop.integrations.accounts import Unconnected, tool

__all__ = ["REQUIRED_SCOPES", "X_TOOL", "IntegrationX"]

REQUIRED_SCOPES = ["tweet.read", "tweet.write", "users.read", "offline.access"]
X_TOOL = tool("x")


class IntegrationX(Unconnected):
    """Says what is missing, whatever is asked of it."""

    def __init__(self, *positional: Any, **options: Any) -> None:
        """Take what the existing kit's class takes."""
        super().__init__("x", *positional, **options)
