"""Shortening of threads that outgrow the model: what is old is summed up by the model itself, what is new stays.

The messages stay readable; only what the model is sent becomes shorter. A thread whose model cannot be reached just now
is shortened later; one whose model cannot sum up goes on with its newest messages alone.
"""

import json
from collections.abc import Sequence
from typing import Any

from botyard.loop.answers import said
from botyard.loop.model_messages import as_text
from botyard.loop.thread_state import KEPT, LONG, ThreadState
from botyard.loop.threads import FThreadMessageOutput

MAX_CHARACTERS = 240_000
"""Of the messages that the model is sent: about 60,000 tokens, which models of today take."""
MAX_SUMMED = 200_000
"""Characters of the old messages that are summed up; of longer ones the middle is left out."""
MAX_ONE = 4_000
"""Characters of one message in what is summed up."""
MAX_SUMMARY = 8_000
INSTRUCTION = (
    "Sum up the conversation so far for yourself, in at most 500 words: what was asked, what was found out, what was "
    "done with which results (names, numbers, ids), what is open. Write nothing else."
)
PASSING = frozenset(
    ("provider_unavailable", "provider_broke", "model_timeout", "circuit_open", "model_busy", "ledger_unavailable")
)
"""Codes of failures that say nothing of the request: the same one may succeed in a moment."""


def is_due(state: ThreadState) -> bool:
    """Tell whether a thread is too long for the model."""
    if len(state.window) <= KEPT:
        return False
    return len(state.window) >= LONG or sum(map(_size, state.window)) > MAX_CHARACTERS


def can_wait(state: ThreadState, code: str) -> bool:
    """Tell whether a thread that could not be summed up, with the failure `code`, stays as it is for now."""
    return code in PASSING and len(state.window) < 2 * LONG


def cut(state: ThreadState) -> int:
    """Return how many of the window's messages are old; results of tools stay with their calls.

    0 where the newest results, which the model has not seen, belong to the first message.
    """
    keep, size = len(state.window), 0
    for message in reversed(state.window):
        size += _size(message)
        if keep <= len(state.window) - KEPT or size > MAX_CHARACTERS // 2:
            break
        keep -= 1
    keep = min(max(keep, 1), len(state.window) - 1)
    while keep < len(state.window) - 1 and state.window[keep].ftm_role == "tool":
        keep += 1
    results = {message.ftm_call_id for message in state.window[keep:] if message.ftm_role == "tool"}
    for number, message in enumerate(state.window[:keep]):
        if any(call["id"] in results for call in message.ftm_tool_calls or ()):
            return number
    return keep


def request_of(state: ThreadState, old: Sequence[FThreadMessageOutput]) -> dict[str, Any]:
    """Return the request that asks the model for a summary."""
    text = "\n".join(f"{message.ftm_role}: {_written(message)}" for message in old)
    if len(text) > MAX_SUMMED:
        half = MAX_SUMMED // 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    before = f"Summary of what came before:\n{state.summary}\n\n" if state.summary else ""
    return {
        "messages": [
            {"role": "system", "content": INSTRUCTION},
            {"role": "user", "content": f"{before}{text}"},
        ]
    }


def summary_of(answer: object) -> dict[str, Any]:
    """Return {summary, coins} of the model's answer.

    Raises:
        ModelFailed: It is none.
    """
    found = said(answer)
    return {"summary": (found.text or "").strip()[:MAX_SUMMARY], "coins": found.coins}


def _written(message: FThreadMessageOutput) -> str:
    calls = [f"{call['function']['name']}({call['function']['arguments']})" for call in message.ftm_tool_calls or ()]
    text = " ".join([as_text(message.ftm_content), *calls])
    return text if len(text) <= MAX_ONE else f"{text[:MAX_ONE]}…"


def _size(message: FThreadMessageOutput) -> int:
    content = message.ftm_content
    size = len(content) if isinstance(content, str) else len(json.dumps(content)) if content else 0
    return size + sum(len(call["function"]["arguments"]) for call in message.ftm_tool_calls or ())
