"""Bytes, events, pieces, and the whole."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from botyard.models import completions, sse
from botyard.models.completions import Collected
from botyard.models.errors import ProviderBroke

STREAM = (
    b': keep-alive\r\n\r\nevent: x\r\ndata: {"a": 1}\r\n\r\n'
    b'data:{"b": "\xc3\xa4\\n"}\n\ndata: {"c": 3}\n\ndata: [DONE]\n\n'
)


@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=6))
@hypothesis_settings(max_examples=50)
def test_events_do_not_depend_on_how_the_bytes_arrive(cuts):
    parser = sse.EventParser()
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    events = [event for start, end in pairwise(edges) for event in parser.feed(STREAM[start:end])]
    assert events == [{"a": 1}, {"b": "ä\n"}, {"c": 3}]
    assert parser.done


@pytest.mark.parametrize("data", [b"data: {nonsense\n\n", b"data: 7\n\n", b"data: " + b"x" * (sse.MAX_EVENT + 1)])
def test_events_that_are_none_end_the_stream(data):
    with pytest.raises(ProviderBroke):
        sse.EventParser().feed(data)


def chunk(delta, finish=None, **more):
    return {"id": "1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def test_tool_calls_are_put_together_from_their_pieces():
    collected = Collected()
    for piece in (
        chunk({"role": "assistant", "content": "wait"}),
        chunk({"tool_calls": [{"index": 0, "id": "c0", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}, {"index": 1, "id": "c1"}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        chunk({}, "tool_calls", usage=None),
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
    ):
        collected.add(piece)
    whole = collected.completion()
    message = whole["choices"][0]["message"]
    assert message["content"] == "wait"
    assert [call["id"] for call in message["tool_calls"]] == ["c0", "c1"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert whole["usage"]["completion_tokens"] == 2


def test_a_whole_told_in_pieces_gives_the_whole_again():
    collected = Collected()
    collected.add(chunk({"content": "a", "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}, "stop"))
    collected.add({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    whole = collected.completion()
    again = Collected()
    for piece in completions.chunks(whole):
        again.add(piece)
    assert again.completion() == whole


@pytest.mark.parametrize(
    "piece",
    [
        {"error": {"message": "overloaded"}},
        {"error": "overloaded"},
        {"choices": "none"},
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]},
    ],
)
def test_a_piece_that_is_none_or_an_error_ends_the_answer(piece):
    with pytest.raises(ProviderBroke):
        Collected().add(piece)


def test_answers_have_the_protocols_form():
    for answer in (None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "x"}]}):
        with pytest.raises(ProviderBroke):
            completions.checked(answer)
    with pytest.raises(ProviderBroke, match="2 embeddings"):
        completions.checked_embeddings({"data": [{"embedding": []}]}, 2)


def test_an_event_that_is_passed_on_keeps_its_own_text():
    line = b'data: {"choices": [ ],  "x": "\xc3\xa4"}\n\n'
    (event,) = sse.EventParser().feed(line)
    assert sse.encode(event) == line
    assert sse.encode(dict(event)) == b'data: {"choices":[],"x":"\xc3\xa4"}\n\n'


def test_what_comes_before_the_end_is_told_apart_from_it():
    collected = Collected()
    assert collected.add_all([chunk({"content": "a"}), chunk({"content": "b"})]) == 2
    assert collected.add_all([chunk({"content": "c"}), chunk({}, "stop"), {"choices": [], "usage": {}}]) == 1
    assert collected.completion()["choices"][0]["message"]["content"] == "abc"
