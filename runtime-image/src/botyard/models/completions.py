"""Pieces of a streamed answer and the whole: one from the other, both ways."""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.models.errors import ProviderBroke

MAX_ANSWER = 16 * 1024 * 1024
"""Characters of one answer."""
_APPENDED = ("content", "refusal", "reasoning_content", "reasoning")


class Collected:
    """Puts the pieces of one streamed chat completion together."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._role = "assistant"
        self._calls: dict[int, dict[str, Any]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._size = 0
        self.finish_reason: str | None = None
        self.usage: Mapping[str, Any] | None = None

    def add_all(self, chunks: Sequence[Mapping[str, Any]]) -> int:
        """Take pieces in their order; return how many of them came before the one that says why the answer ends.

        Raises:
            ProviderBroke: As `add`.
        """
        going_on = 0
        for chunk in chunks:
            self.add(chunk)
            if self.finish_reason is None:
                going_on += 1
        return going_on

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one piece.

        Raises:
            ProviderBroke: It is an error, has another form than the protocol says, or the answer grows too large.
        """
        if error := chunk.get("error"):
            said = error.get("message") if isinstance(error, Mapping) else error
            raise ProviderBroke(f"the provider broke off: {str(said)[:500]}")
        if not self._head:
            self._head = {
                name: chunk[name] for name in ("id", "created", "model", "system_fingerprint") if name in chunk
            }
        if isinstance(chunk.get("usage"), Mapping):
            self.usage = chunk["usage"]
        try:
            for choice in chunk.get("choices") or ():
                self._add_choice(choice)
        except (TypeError, AttributeError, ValueError, KeyError) as error:
            raise ProviderBroke(f"the provider sent a piece that is none: {str(chunk)[:200]}") from error
        if self._size > MAX_ANSWER:
            raise ProviderBroke(f"the provider's answer has more than {MAX_ANSWER} characters")

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or {}
        for name in _APPENDED:
            if piece := delta.get(name):
                self._texts.setdefault(name, []).append(str(piece))
                self._size += len(piece)
        for call in delta.get("tool_calls") or ():
            index = int(call.get("index", 0))
            kept = self._calls.setdefault(index, {"id": "", "type": "function", "name": ""})
            function = call.get("function") or {}
            kept["id"] = call.get("id") or kept["id"]
            kept["name"] += function.get("name") or ""
            arguments = function.get("arguments") or ""
            self._arguments.setdefault(index, []).append(arguments)
            self._size += len(arguments) + 64
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def completion(self) -> dict[str, Any]:
        """Return the whole, as an answer that was not streamed would have been."""
        message: dict[str, Any] = {"role": self._role, "content": None}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": call["type"],
                    "function": {"name": call["name"], "arguments": "".join(self._arguments[index])},
                }
                for index, call in sorted(self._calls.items())
            ]
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason or "stop"}
        whole = {**self._head, "object": "chat.completion", "choices": [choice]}
        return whole | ({"usage": dict(self.usage)} if self.usage is not None else {})


def chunks(completion: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return pieces that say what a completion says, the last with its usage, as for a kept answer told again."""
    head = {name: completion[name] for name in ("id", "created", "model") if name in completion}
    head["object"] = "chat.completion.chunk"
    choice = completion["choices"][0]
    delta = {name: value for name, value in choice["message"].items() if value is not None}
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
    found = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}]},
    ]
    if usage := completion.get("usage"):
        found.append({**head, "choices": [], "usage": usage})
    return found


def checked(answer: Any) -> dict[str, Any]:
    """Return an answer that was not streamed if it has the protocol's form.

    Raises:
        ProviderBroke: It has not.
    """
    try:
        message = answer["choices"][0]["message"]
        if isinstance(message, dict) and isinstance(answer, dict):
            return answer
    except (TypeError, KeyError, IndexError):
        pass
    raise ProviderBroke(f"the provider's answer is no completion: {str(answer)[:200]}")


def checked_embeddings(answer: Any, count: int) -> dict[str, Any]:
    """Return an answer with `count` embeddings if it has the protocol's form.

    Raises:
        ProviderBroke: It has not.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(data, list) and len(data) == count and all(isinstance(i, dict) and "embedding" in i for i in data):
        return dict(answer)
    raise ProviderBroke(f"the provider's answer does not hold {count} embeddings: {str(answer)[:200]}")
