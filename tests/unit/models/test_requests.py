"""What a request may hold, and what it costs at most."""

import pytest

from botyard.models import requests
from botyard.models.errors import BadRequest

HI = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("chat", [], "a JSON object"),
        ("chat", {**HI, "service_tier": "priority", "audio": {}}, "passed on: audio, service_tier"),
        ("chat", {}, "messages must be a list"),
        ("chat", {"messages": []}, "at least one"),
        ("chat", {"messages": [{"role": "boss"}]}, r"messages\[0\]"),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "a part that is none of"),
        ("chat", {**HI, "n": 5}, "n must be 1"),
        ("chat", {**HI, "store": True}, "store must be false"),
        ("chat", {**HI, "max_tokens": 0}, "max_tokens"),
        ("chat", {**HI, "max_tokens": True}, "max_tokens"),
        ("chat", {**HI, "stream": "yes"}, "stream"),
        ("chat", {**HI, "tools": [{"type": "web_search"}]}, "a provider's own are refused"),
        ("chat", {**HI, "model": 7}, "model must be"),
        ("embeddings", {"input": []}, "input must be"),
        ("embeddings", {"input": [1.5]}, "input must be"),
        ("embeddings", {"input": {}}, "input must be"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(kind, body, problem):
    with pytest.raises(BadRequest, match=problem):
        requests.checked(kind, body)


def test_members_without_a_value_are_left_out():
    assert requests.checked("chat", {**HI, "stop": None}) == HI


def test_the_bound_counts_every_byte_that_is_sent_as_text():
    plain = requests.input_bound(HI)
    assert plain >= 2
    assert requests.input_bound({"messages": [{"role": "user", "content": "hi" + "ß" * 100}]}) == plain + 200
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 500}}]
    assert requests.input_bound({**HI, "tools": tools}) > plain + 500
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "a" * 300}}]
    assert requests.input_bound({"messages": [{"role": "assistant", "tool_calls": calls}]}) > 300


def test_an_image_counts_as_tokens_not_as_bytes():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    bound = requests.input_bound({"messages": [{"role": "user", "content": [image]}]})
    assert requests.IMAGE_TOKENS <= bound < requests.IMAGE_TOKENS + 100


def test_embeddings_count_texts_and_token_numbers():
    assert requests.input_bound({"input": "abc"}) == 3
    assert requests.input_bound({"input": ["abc", "ä"]}) == 5
    assert requests.input_bound({"input": [1, 2, 3]}) == 3
    assert requests.input_bound({"input": [[1, 2], [3]]}) == 3


def test_a_limit_is_written_under_the_name_that_the_request_uses():
    assert requests.with_output_limit({"max_tokens": 9}, 5, name="max_completion_tokens") == {"max_tokens": 5}
    assert requests.with_output_limit({}, 5, name="max_completion_tokens") == {"max_completion_tokens": 5}
    assert requests.output_limit({"max_tokens": 9, "max_completion_tokens": 7}) == 7
    assert requests.output_limit({}) is None
