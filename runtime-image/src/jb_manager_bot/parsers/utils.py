"""LLMManager."""

from botyard.fsm import LLMManager

__all__ = ["LLMManager"]
