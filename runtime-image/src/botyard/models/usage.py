"""Usage as providers report it, and when it is not to be believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botyard.budget.calls import Usage


@dataclass(frozen=True, slots=True)
class Bound:
    """What a call can use at most."""

    input_tokens: int
    output_tokens: int | None
    """None: as much as the price table allows."""


def reported(answer: Mapping[str, Any], bound: Bound) -> Usage | None:
    """Return the usage that an answer reports, or None where it reports none that can be true.

    A provider cannot have used more than the request held and allowed; what exceeds the bound, is negative, is no
    whole number or contradicts itself is a mistake, and whoever pays must not be charged by it.

    Args:
        answer: A completion, the last piece of a stream or an answer with embeddings.
        bound: Of the call.
    """
    usage = answer.get("usage")
    if not isinstance(usage, Mapping):
        return None
    found = Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens", 0)),
        cached_input_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens"),
        reasoning_tokens=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )
    believable = (
        0 <= found.input_tokens <= bound.input_tokens
        and found.output_tokens >= 0
        and (bound.output_tokens is None or found.output_tokens <= bound.output_tokens)
        and 0 <= found.cached_input_tokens <= found.input_tokens
        and 0 <= found.reasoning_tokens <= found.output_tokens
        and found.input_tokens + found.output_tokens > 0
    )
    return found if believable else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    return _count(details.get(name) or 0) if isinstance(details, Mapping) else 0


def to_json(usage: Usage) -> dict[str, Any]:
    """Return usage as the OpenAI protocol writes it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
