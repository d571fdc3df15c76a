"""Usage is believed as far as it can be true."""

import pytest

from botyard.models.usage import Bound, reported

BOUND = Bound(100, 50)


def test_cached_and_reasoning_tokens_are_told_apart():
    usage = {
        "prompt_tokens": 90,
        "completion_tokens": 40,
        "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": 10},
    }
    found = reported({"usage": usage}, BOUND)
    assert found is not None
    assert (found.input_tokens, found.cached_input_tokens, found.output_tokens, found.reasoning_tokens) == (
        90,
        30,
        40,
        10,
    )


def test_embeddings_have_no_output():
    found = reported({"usage": {"prompt_tokens": 9, "total_tokens": 9}}, BOUND)
    assert found is not None
    assert found.output_tokens == 0


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "many",
        {},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": "12", "completion_tokens": 1},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 101, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 10**12},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
        {"prompt_tokens": 1, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
    ],
)
def test_usage_that_cannot_be_true_is_none(usage):
    assert reported({"usage": usage}, BOUND) is None
