"""Where a long thread is cut."""

from typing import Any

import pytest

from botyard.loop.compaction import MAX_CHARACTERS, cut
from botyard.loop.thread_state import KEPT, ThreadState
from botyard.loop.threads import FThreadMessageOutput


def thread(before: int, sizes: list[int], *, after: int = 0) -> ThreadState:
    """Return a thread: messages, an answer with calls whose results have these sizes, messages."""
    state = ThreadState(None, thread="t1", persona="nora")

    def add(role: str, content: str, **more: Any) -> None:
        state.append(
            FThreadMessageOutput(ftm_ft_id="t1", ftm_num=state.next, ftm_role=role, ftm_content=content, **more)
        )

    for number in range(before):
        add("user", f"m{number}")
    ids = [f"t1.{state.next}.{number}" for number in range(len(sizes))]
    add("assistant", "", ftm_tool_calls=[{"id": each, "function": {"name": "look", "arguments": "{}"}} for each in ids])
    for each, size in zip(ids, sizes, strict=True):
        add("tool", "x" * size, ftm_call_id=each)
    for number in range(after):
        add("user", f"n{number}")
    return state


@pytest.mark.parametrize(
    "sizes", [[MAX_CHARACTERS], [10, MAX_CHARACTERS], [MAX_CHARACTERS, 10], [10] * (KEPT + 5)],
    ids=["one", "last", "first", "many"],
)  # fmt: skip
@pytest.mark.parametrize("before", [0, 30])
def test_the_newest_results_stay_with_their_calls(sizes: list[int], before: int) -> None:
    state = thread(before, sizes)
    assert cut(state) == before


def test_results_that_were_seen_go_with_their_calls() -> None:
    assert cut(thread(5, [10] * 5, after=KEPT)) == 11
