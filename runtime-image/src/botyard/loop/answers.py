"""What a model answered, taken apart: whatever it is, the thread goes on with it or says why it cannot."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("botyard.loop.threads")

MAX_CALLS = 32
"""Tools that one answer may call; further calls are dropped."""
MALFORMED = "(malformed)"
"""Name of a call that names no tool."""


class ModelFailed(Exception):
    """The model gave no answer.

    Attributes:
        code: Why, as docs/models.md and docs/loop.md list it.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Said:
    """An answer of a model.

    Attributes:
        text: None where it only calls tools.
        calls: Name and arguments, the arguments as text.
        usage: As it was reported.
        model: Its name.
    """

    text: str | None
    calls: list[tuple[str, str]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    model: str = ""

    @property
    def coins(self) -> int:
        """What the answer cost."""
        found = self.usage.get("coins")
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def said(answer: object) -> Said:
    """Return what a completion of the OpenAI protocol says.

    Raises:
        ModelFailed: It is no completion.
    """
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    message = choices[0].get("message") if isinstance(choices, list) and choices and _is_dict(choices[0]) else None
    if not isinstance(message, Mapping):
        raise ModelFailed("The model's answer is no completion: it has no message.", "bad_answer")
    assert isinstance(answer, Mapping)
    content = message.get("content")
    given = message.get("tool_calls")
    calls = [_call(call) for call in given] if isinstance(given, list) else []
    if len(calls) > MAX_CALLS:
        log.warning("the model called %s tools in one answer; the first %s are made", len(calls), MAX_CALLS)
    usage = answer.get("usage")
    return Said(
        text=content if isinstance(content, str) or content is None else json.dumps(content, default=str),
        calls=calls[:MAX_CALLS],
        usage=dict(usage) if isinstance(usage, Mapping) else {},
        model=str(answer.get("model") or ""),
    )


def _call(call: object) -> tuple[str, str]:
    function = call.get("function") if isinstance(call, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
        return MALFORMED, "{}"
    arguments = function.get("arguments")
    if isinstance(arguments, str) or arguments is None:
        return name[:200], arguments or "{}"
    return name[:200], json.dumps(arguments, default=str)


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping)
