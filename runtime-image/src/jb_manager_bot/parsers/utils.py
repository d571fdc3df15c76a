"""LLMManager, and the client classes that it calls models with."""

from typing import Any

from botyard.fsm import LLMManager

__all__ = ["LLMManager"]


def __getattr__(name: str) -> Any:
    """Return `OpenAI` or `AzureOpenAI`, imported only when asked for: a bot without a model needs no such package."""
    if name in ("OpenAI", "AzureOpenAI"):
        import openai

        return getattr(openai, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
