"""The scripted provider: offline, free of chance, with exact usage."""

import asyncio
import base64
import math
import re
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import blake2b
from typing import Any

from botyard.budget.calls import Usage
from botyard.models import completions, requests, script
from botyard.models.provider import PLAIN, Sending
from botyard.models.requests import Kind
from botyard.models.script import Said, Script
from botyard.models.usage import Bound, to_json

DIMENSIONS = 256
"""Of an embedding where the request names none."""
MAX_DIMENSIONS = 4096
_PIECE = re.compile(r"\S+\s*|\s+")


class ScriptedProvider:
    """Answers by a script. Equal requests get equal answers, to the byte."""

    limit_name = "max_completion_tokens"

    def __init__(self, read: Callable[[], Script], *, name: str = "scripted") -> None:
        """Prepare.

        Args:
            read: Gives the script as it is now; may raise a `ModelError`.
            name: What answers say the model is.
        """
        self._read = read
        self._name = name or "scripted"

    def bound(self, kind: Kind, request: Mapping[str, Any]) -> Bound:
        """Return exactly what the answer will use."""
        if kind == "embeddings":
            return Bound(_embedded_tokens(request["input"]), 0)
        said = self._said(request)
        return Bound(said.input_tokens, said.output_tokens)

    async def ask(self, kind: Kind, request: Mapping[str, Any], sending: Sending = PLAIN) -> dict[str, Any]:
        """Return the whole answer."""
        if sending.mine is not None:
            await sending.mine()
        if kind == "embeddings":
            return _embeddings(request, self._name)
        said = self._said(request)
        await asyncio.sleep(said.delay_seconds)
        return self._completion(said, request)

    async def stream(self, request: Mapping[str, Any], sending: Sending = PLAIN) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the answer word by word, the words with no pause between them."""
        if sending.mine is not None:
            await sending.mine()
        said = self._said(request)
        await asyncio.sleep(said.delay_seconds)
        whole = self._completion(said, request)
        first, *rest = completions.chunks(whole)
        delta = first["choices"][0]["delta"]
        for number, piece in enumerate(_PIECE.findall(said.text)):
            yield [_with_delta(first, {"content": piece} | ({"role": "assistant"} if not number else {}))]
        if calls := delta.get("tool_calls"):
            yield [_with_delta(first, {"role": "assistant", "tool_calls": calls})]
        yield rest

    def _said(self, request: Mapping[str, Any]) -> Said:
        limit = requests.output_limit(request)
        return script.answer(self._read(), request["messages"], requests.tool_names(request), limit)

    def _completion(self, said: Said, request: Mapping[str, Any]) -> dict[str, Any]:
        identity = blake2b(repr(request["messages"]).encode("utf-8", "replace"), digest_size=12).hexdigest()
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        if said.tool_calls:
            message["tool_calls"] = [
                {"id": f"call_{identity}_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for n, (name, arguments) in enumerate(said.tool_calls)
            ]
        reason = "length" if said.cut else "tool_calls" if said.tool_calls else "stop"
        usage = Usage(
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            cached_input_tokens=said.cached_tokens,
            reasoning_tokens=said.reasoning_tokens,
        )
        return {
            "id": f"chatcmpl-{identity}",
            "object": "chat.completion",
            "created": 0,
            "model": self._name,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": to_json(usage),
        }


def _with_delta(chunk: Mapping[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    return {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _texts(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in given]


def _embedded_tokens(given: Any) -> int:
    return sum(script.tokens(len(text)) for text in _texts(given))


def _embeddings(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    asked = request.get("dimensions", DIMENSIONS)
    dimensions = asked if isinstance(asked, int) and 0 < asked <= MAX_DIMENSIONS else DIMENSIONS
    packed = request.get("encoding_format") == "base64"
    data: list[dict[str, Any]] = []
    for number, text in enumerate(_texts(request["input"])):
        vector = embedding(text, dimensions)
        value = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if packed else vector
        data.append({"object": "embedding", "index": number, "embedding": value})
    used = _embedded_tokens(request["input"])
    return {"object": "list", "data": data, "model": name, "usage": {"prompt_tokens": used, "total_tokens": used}}


def embedding(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return a vector of length 1 by the text's words: texts that share words are near each other."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.casefold()) or [""]:
        number = int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        vector[number % dimensions] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]
