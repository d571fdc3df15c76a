"""Questions of a machine to its documents, and how their answers find back to the session that asked.

A turn that asks causes one more event, a callback with the question and its reference; that event's turn searches and
hands the answer to the machine. So the session waits no longer than for a callback, and a turn that is run again
asks again, without anybody noticing. A bundle without documents leaves its questions to somebody outside: the reference
then goes out with the question, and the answer comes to the reference as `{"chunks": [{"chunk", "metadata"}]}`.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botyard.program import NextEvent

_AS_INPUT = "retrieval-input-"
_AS_CALLBACK = "retrieval-callback-"


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    reference: str
    query: str
    collection: str = ""
    count: int = 5
    hybrid: bool = False
    """By words and by meaning, where the Bot has a model for meaning."""

    @classmethod
    def of(cls, data: Mapping[str, Any], *, as_input: bool) -> "Question":
        """Return the question of a `bot.rag_call`.

        Args:
            data: The output's data.
            as_input: The bot is of the dialect that reads the answer as user input.
        """
        return cls(
            reference=f"{_AS_INPUT if as_input else _AS_CALLBACK}{uuid.uuid4()}",
            query=str(data.get("query", "")),
            collection=str(data.get("collection", "")),
            count=int(data.get("top_k", 5)),
            hybrid=bool(data.get("hybrid")),
        )

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "Question | None":
        """Return the question that an event carries, or None."""
        asked = payload.get("question")
        if not isinstance(asked, Mapping):
            return None
        return cls(
            reference=str(payload.get("reference", "")),
            query=str(asked.get("query", "")),
            collection=str(asked.get("collection", "")),
            count=int(asked.get("count", 5)),
            hybrid=bool(asked.get("hybrid")),
        )

    def event(self) -> NextEvent:
        """Return the event whose turn answers it."""
        asked = {"query": self.query, "collection": self.collection, "count": self.count, "hybrid": self.hybrid}
        return NextEvent(kind="callback", payload={"reference": self.reference, "question": asked})


def is_question(reference: str) -> bool:
    """Tell whether a reference is that of a question."""
    return reference.startswith((_AS_INPUT, _AS_CALLBACK))


def is_read_as_input(reference: str) -> bool:
    """Tell whether the answer may be user input; answers without a reference may."""
    return not reference.startswith(_AS_CALLBACK)


def chunks_of(body: Any) -> list[Any] | None:
    """Return the passages that somebody outside answered with, or None where the body is no such answer."""
    try:
        answer = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return None
    chunks = answer.get("chunks") if isinstance(answer, dict) else None
    return chunks if isinstance(chunks, list) else None
