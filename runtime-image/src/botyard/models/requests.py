"""What a request may hold, and what it can cost at most.

A request comes from bundle code. Members that this page does not know are refused by name: a new one might buy
something (a priority tier, a search, spoken output) that nobody reserved.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from botyard.models.errors import BadRequest

Kind = Literal["chat", "embeddings"]

MAX_REQUEST = 20 * 1024 * 1024
"""Bytes of a request as JSON; images travel inside of it."""
MAX_OUTPUT = 1_000_000
IMAGE_TOKENS = 50_000
"""Bound of the tokens of one image: the dearest counting in use bills a detailed image of a small model at 48,169."""
_PER_MESSAGE = 16
"""Bound of the tokens by which a protocol frames one message."""

# fmt: off
_CHAT = frozenset((
    "chat_template_kwargs", "frequency_penalty", "function_call", "functions", "guided_choice", "guided_grammar",
    "guided_json", "guided_regex", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages",
    "metadata", "min_p", "model", "n", "parallel_tool_calls", "presence_penalty", "prompt_cache_key", "reasoning",
    "reasoning_effort", "repetition_penalty", "response_format", "safety_identifier", "seed", "stop", "store",
    "stream", "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "user",
    "verbosity",
))
# fmt: on
_EMBEDDINGS = frozenset(("dimensions", "encoding_format", "input", "model", "user"))
_PARTS = frozenset(("text", "image_url", "refusal"))
_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


def checked(kind: Kind, body: Any) -> dict[str, Any]:
    """Return a request that may be sent.

    Args:
        kind: What it asks for.
        body: The JSON that came.

    Raises:
        BadRequest: It is none; the message says what to write instead.
    """
    if not isinstance(body, Mapping):
        raise BadRequest("a request is a JSON object")
    known = _CHAT if kind == "chat" else _EMBEDDINGS
    if unknown := sorted(str(name) for name in body if name not in known):
        raise BadRequest(f"members that cannot be passed on: {', '.join(unknown)[:400]}")
    request = {str(name): value for name, value in body.items() if value is not None}
    if not isinstance(request.get("model", ""), str):
        raise BadRequest("model must be a string")
    if kind == "embeddings":
        _check_inputs(request.get("input"))
    else:
        _check_chat(request)
    return request


def _check_chat(request: Mapping[str, Any]) -> None:
    messages = request.get("messages")
    if not isinstance(messages, list | tuple) or not messages:
        raise BadRequest("messages must be a list with at least one message")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise BadRequest(f"messages[{number}] must be an object whose role is one of {', '.join(sorted(_ROLES))}")
        _check_content(number, message.get("content"))
    if request.get("n", 1) != 1:
        raise BadRequest("n must be 1: each choice is paid; ask again for another answer")
    if request.get("store"):
        raise BadRequest("store must be false: nothing of a conversation is kept at the provider")
    for name in ("max_tokens", "max_completion_tokens"):
        limit = request.get(name, 1)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_OUTPUT:
            raise BadRequest(f"{name} must be a whole number from 1 to {MAX_OUTPUT}")
    if not isinstance(request.get("stream", False), bool):
        raise BadRequest("stream must be true or false")
    tools = request.get("tools", [])
    if not isinstance(tools, list | tuple) or not all(
        isinstance(tool, Mapping) and tool.get("type") == "function" and isinstance(tool.get("function"), Mapping)
        for tool in tools
    ):
        raise BadRequest('tools must be a list of {"type": "function", "function": {…}}; a provider\'s own are refused')


def _check_content(number: int, content: Any) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list | tuple):
        raise BadRequest(f"messages[{number}].content must be a string or a list of parts")
    for part in content:
        if not isinstance(part, Mapping) or part.get("type") not in _PARTS:
            raise BadRequest(f"messages[{number}].content has a part that is none of {', '.join(sorted(_PARTS))}")


def _check_inputs(inputs: Any) -> None:
    if isinstance(inputs, str):
        return
    if not isinstance(inputs, list | tuple) or not inputs or len(inputs) > 2048:
        raise BadRequest("input must be a string or a list of 1 to 2048 strings")
    if all(isinstance(item, int) and not isinstance(item, bool) for item in inputs):
        return
    if not all(isinstance(item, str) or _is_tokens(item) for item in inputs):
        raise BadRequest("input must be a string, strings, or lists of token numbers")


def _is_tokens(item: Any) -> bool:
    return isinstance(item, list | tuple) and all(isinstance(n, int) and not isinstance(n, bool) for n in item)


def output_limit(request: Mapping[str, Any]) -> int | None:
    """Return the output tokens that a chat request allows, or None where it says nothing."""
    limits = [request[name] for name in ("max_completion_tokens", "max_tokens") if name in request]
    return min(limits, default=None)


def with_output_limit(request: Mapping[str, Any], limit: int, *, name: str) -> dict[str, Any]:
    """Return the request with its output limited to `limit` tokens.

    Args:
        request: A checked chat request.
        limit: Tokens.
        name: Member to use where the request has none: `max_tokens` or `max_completion_tokens`.
    """
    used = [each for each in ("max_completion_tokens", "max_tokens") if each in request] or [name]
    return {**request, **dict.fromkeys(used, limit)}


def input_bound(request: Mapping[str, Any]) -> int:
    """Return how many input tokens a request can count as at most, by whatever tokenizer.

    A token of a byte-level tokenizer stands for at least one byte, so the bytes of everything that is sent as text
    bound the tokens. An image counts as IMAGE_TOKENS, its bytes do not.
    """
    if "messages" not in request:
        return _embedding_bound(request["input"])
    total = _PER_MESSAGE
    for message in request["messages"]:
        total += _PER_MESSAGE
        content = message.get("content")
        rest = {name: value for name, value in message.items() if name not in ("content", "role")}
        total += _size(rest) if rest else 0
        if isinstance(content, str):
            total += len(content.encode("utf-8", "surrogatepass"))
            continue
        for part in content or ():
            total += IMAGE_TOKENS if part.get("type") == "image_url" else _size(part)
    return total + sum(_size(request[name]) for name in ("tools", "functions", "response_format") if name in request)


def _embedding_bound(inputs: Any) -> int:
    if isinstance(inputs, str):
        return len(inputs.encode("utf-8", "surrogatepass"))
    return sum(
        1 if isinstance(item, int) else len(item) if not isinstance(item, str) else _embedding_bound(item)
        for item in inputs
    )


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def tool_names(request: Mapping[str, Any]) -> list[str]:
    """Return the names of the tools that a chat request offers."""
    return [str(tool["function"].get("name", "")) for tool in request.get("tools", ())]
