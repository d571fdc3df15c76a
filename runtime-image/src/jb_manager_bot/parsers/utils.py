"""LLMManager, and the client classes that it calls models with."""

import json
import os
from typing import Any, List  # noqa: UP035 - bots import these names from here

from botyard.fsm import LLMManager

__all__ = ["LLMManager", "List", "json", "os"]


def __getattr__(name: str) -> Any:
    """Return `OpenAI` or `AzureOpenAI`, imported only when asked for: a bot without a model needs no such package."""
    if name in ("OpenAI", "AzureOpenAI"):
        import openai

        return getattr(openai, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
