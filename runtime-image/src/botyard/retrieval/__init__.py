"""Retrieval: answers a bot's question with passages of the documents that its bundle carries (docs/fsm.md)."""

from botyard.retrieval.errors import RetrievalError
from botyard.retrieval.knowledge import Knowledge
from botyard.retrieval.passages import Passage

__all__ = ["Knowledge", "Passage", "RetrievalError"]
