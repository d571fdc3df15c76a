"""Workflow bots with real replicas."""

from tests.integration.runtime.conftest import make_bot

__all__ = ["make_bot"]
