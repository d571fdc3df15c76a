"""Bots with real replicas behind the chat channels."""

from tests.integration.runtime.conftest import make_bot

__all__ = ["make_bot"]
