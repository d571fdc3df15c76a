"""The scripted provider: the script's answers as the OpenAI protocol has them."""

import math

from botyard.models import script
from botyard.models.completions import Collected
from botyard.models.scripted import ScriptedProvider, embedding

SCRIPT = script.load(
    """
rules:
- when: {contains: tool}
  reply: {tool_calls: [{name: find, arguments: {q: x}}], text: "wait"}
- reply: {text: "one two  three"}
"""
)
REQUEST = {"messages": [{"role": "user", "content": "hi"}]}
provider = ScriptedProvider(lambda: SCRIPT, name="toy")


async def streamed(request):
    collected = Collected()
    async for pieces in provider.stream(request):
        for piece in pieces:
            collected.add(piece)
    return collected.completion()


async def test_the_whole_and_the_pieces_say_the_same():
    for text in ("hi", "tool"):
        request = {"messages": [{"role": "user", "content": text}]}
        whole = await provider.ask("chat", request)
        assert await streamed(request) == whole
        assert whole == await provider.ask("chat", request)


async def test_an_answer_comes_word_by_word():
    pieces = [
        p["choices"][0]["delta"].get("content") async for ps in provider.stream(REQUEST) for p in ps if p["choices"]
    ]
    assert pieces == ["one ", "two  ", "three", None]


async def test_its_bound_is_its_usage():
    for limit in (None, 2):
        request = REQUEST if limit is None else {**REQUEST, "max_tokens": limit}
        usage = (await provider.ask("chat", request))["usage"]
        bound = provider.bound("chat", request)
        assert (bound.input_tokens, bound.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])


async def test_embeddings_are_the_same_every_time_and_near_for_texts_that_share_words():
    answer = await provider.ask("embeddings", {"input": ["a red car", "a red bike"]})
    first, second = (item["embedding"] for item in answer["data"])
    assert first == embedding("A red  car!")
    assert math.isclose(sum(x * x for x in first), 1.0)
    assert sum(map(lambda x, y: x * y, first, second)) > 0.5
    assert answer["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    packed = await provider.ask("embeddings", {"input": "x", "encoding_format": "base64", "dimensions": 4})
    assert isinstance(packed["data"][0]["embedding"], str)
