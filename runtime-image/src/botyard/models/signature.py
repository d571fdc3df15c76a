"""What a request asks anew, in short, so that a loop which asks the same over and over is told."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any


def signature_of(model: str, request: Mapping[str, Any]) -> str:
    """Return a digest that repeats when a bot goes in circles; empty where circles cannot be told.

    A loop of tool calls grows the conversation, so only its last round counts: the calls and their results, without
    the ids that differ each time. Any other request counts as a whole.
    """
    messages = request.get("messages")
    if not messages:
        return ""
    last: list[Any] = []
    if messages[-1].get("role") == "tool":
        for message in reversed(messages):
            if message.get("role") != "tool":
                last += [call.get("function") for call in message.get("tool_calls") or ()]
                break
            last.append(message.get("content"))
    else:
        last = [messages]
    text = json.dumps([model, last], sort_keys=True, ensure_ascii=False, default=str)
    return blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
