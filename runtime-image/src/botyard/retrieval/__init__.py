"""Retrieval: answers a bot's question with passages of its documents (docs/fsm.md)."""

from botyard.retrieval.errors import RetrievalError
from botyard.retrieval.knowledge import Knowledge
from botyard.retrieval.passages import Passage
from botyard.retrieval.service import Retrieval, check

__all__ = ["Knowledge", "Passage", "Retrieval", "RetrievalError", "check"]
