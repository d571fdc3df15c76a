"""The bot's documents, for workflows: those that its bundle carries, and those that were uploaded."""

import contextvars
from dataclasses import dataclass
from typing import Any

from botyard.program import TurnIO
from botyard.retrieval import Retrieval


@dataclass(frozen=True, slots=True)
class _Documents:
    retrieval: Retrieval
    io: TurnIO


_documents: contextvars.ContextVar[_Documents | None] = contextvars.ContextVar(
    "botyard_workflow_documents", default=None
)


def use_documents(retrieval: Retrieval, io: TurnIO) -> None:
    """Have workflows of this context ask these documents; for hosts of turns."""
    _documents.set(_Documents(retrieval, io))


async def ask(question: str, collection: str, count: int, *, hybrid: bool) -> list[dict[str, Any]]:
    """Return passages; see `BaseEntrypoint.retrieve`."""
    found = _documents.get()
    if found is None:
        raise RuntimeError("documents can be asked while a turn runs, by its own code")
    if not await found.retrieval.collections(found.io):
        return []
    return await found.retrieval.ask(found.io, question, collection, count, hybrid=hybrid)
