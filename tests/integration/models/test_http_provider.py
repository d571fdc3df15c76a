"""Calls to an endpoint over HTTP: what it may do, and what becomes of the call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from botyard.models.breaker import Breaker
from botyard.models.errors import (
    CircuitOpen,
    ModelError,
    ModelTimeout,
    ProviderBroke,
    ProviderRefused,
    ProviderUnavailable,
)
from botyard.models.http_provider import HttpProvider, Patience
from botyard.models.http_session import new_session
from botyard.models.provider import Sending
from botyard.models.retries import RetryPolicy
from tests.integration.models.double import DONE, Provider, completion, piece, says, usage

HI = {"messages": [{"role": "user", "content": "hi"}]}
QUICK = RetryPolicy(tries=3, first=0.001, longest=0.001)
SILENT = 0.3
"""Seconds that a test waits for a provider that will never say anything."""


@pytest.fixture
async def provider(double: Provider) -> AsyncIterator[HttpProvider]:
    async with new_session() as session:
        yield HttpProvider(
            session,
            key=lambda: "sk-secret",
            model="gpt",
            endpoint=double.url,
            retries=QUICK,
            breaker=Breaker("gpt", 99),
        )


async def text(provider: HttpProvider) -> str:
    return str((await provider.ask("chat", HI))["choices"][0]["message"]["content"])


async def pieces(provider: HttpProvider) -> list[str]:
    async with aclosing(provider.stream(HI)) as stream:  # type: ignore[type-var]
        return [p["choices"][0]["delta"]["content"] async for ps in stream for p in ps if p["choices"]]


async def test_the_request_goes_out_with_the_bots_key_and_model(provider, double):
    assert await text(provider) == "hello"
    assert double.requests == [{**HI, "model": "gpt"}]
    assert double.headers[0]["authorization"] == "Bearer sk-secret"


async def test_a_stream_comes_piece_by_piece_and_asks_for_its_usage(provider, double):
    double.next = [double.streams(piece("a"), piece("b"), usage(1, 2), DONE)]
    assert await pieces(provider) == ["a", "b"]
    assert double.requests[0]["stream_options"] == {"include_usage": True}


async def test_embeddings(provider, double):
    double.next = [says({"data": [{"embedding": [0.5]}]})]
    assert (await provider.ask("embeddings", {"input": "x"}))["data"][0]["embedding"] == [0.5]
    with pytest.raises(ProviderBroke):
        await provider.ask("embeddings", {"input": ["x", "y"]})


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_passes_is_tried_again(provider, double, status):
    double.next = [says({}, status), double.hang_up, says(completion("at last"))]
    assert await text(provider) == "at last"
    assert len(double.requests) == 3


async def test_a_request_that_may_have_been_read_is_not_sent_again(provider, double):
    """On a connection that was just made; one that was kept open may have been closed before the request came."""
    double.next = [double.hang_up, says(completion())]
    with pytest.raises(ProviderBroke, match="took the request and closed the connection") as raised:
        await text(provider)
    assert raised.value.billed
    assert len(double.requests) == 1


async def test_tries_end(provider, double):
    double.next = [says({"error": {"message": "overloaded"}}, 503)]
    with pytest.raises(ProviderUnavailable, match="answered 503: overloaded") as raised:
        await text(provider)
    assert len(double.requests) == 3
    assert not raised.value.billed


async def test_a_pause_that_the_provider_asks_for_is_kept(provider, double):
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    provider.sleep = note
    double.next = [says({}, 429, Retry_After="7"), says(completion())]
    await text(provider)
    assert pauses[0] >= 7
    double.next = [says({"error": "come back tomorrow"}, 429, Retry_After="86400"), says(completion())]
    with pytest.raises(ProviderUnavailable, match="come back tomorrow") as raised:
        await text(provider)
    assert raised.value.status == 429
    assert len(pauses) == 1


async def test_what_will_not_pass_is_told_at_once(provider, double):
    double.next = [says({"error": {"message": "no such parameter (key sk-secret)"}}, 400)]
    with pytest.raises(ProviderRefused, match=r"no such parameter \(key …\)") as raised:
        await text(provider)
    assert raised.value.status == 400
    assert len(double.requests) == 1


async def test_a_key_that_is_not_accepted_is_told_without_the_providers_words(provider, double):
    double.next = [says({"error": {"message": "Incorrect API key provided: sk-se***et"}}, 401)]
    with pytest.raises(ProviderRefused, match=r"does not accept the Bot's key \(401\): see spec.model.secretRef$"):
        await text(provider)


async def test_a_redirect_is_not_followed(provider, double):
    double.next = [says({}, 307, Location="http://127.0.0.1:1/v1")]
    with pytest.raises(ProviderBroke, match="307"):
        await text(provider)
    assert len(double.requests) == 1


async def test_nobody_listens(provider):
    provider.endpoint = "http://127.0.0.1:1/v1"
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        await text(provider)


async def test_no_answer(provider, double):
    provider.patience = Patience(answer=SILENT)
    double.next = [double.hang]
    with pytest.raises(ModelTimeout, match="did not answer within") as raised:
        await text(provider)
    assert raised.value.billed
    assert len(double.requests) == 1, "what may have been done is not asked again"
    async with asyncio.timeout(60):
        await double.gone.wait()


@pytest.mark.parametrize(
    ("then", "error"), [("hang", ModelTimeout), ("cut", ProviderBroke), ("end", ProviderBroke)], ids=str
)
async def test_half_a_stream(provider, double, then, error):
    provider.patience = Patience(silence=SILENT)
    double.next = [double.streams(piece("a"), then=then)]
    came: list[str] = []

    async def read() -> None:
        async for events in provider.stream(HI):
            came.extend(event["choices"][0]["delta"]["content"] for event in events)

    with pytest.raises(error) as raised:
        await read()
    assert came == ["a"]
    assert raised.value.billed
    assert len(double.requests) == 1


async def test_a_stream_that_says_why_it_ends_needs_no_done(provider, double):
    end = b'data: {"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}]}\n\n'
    double.next = [double.streams(piece("a"), end, usage(1, 2))]
    assert await pieces(provider) == ["a", "b"]


async def test_an_error_in_the_middle_of_a_stream(provider, double):
    double.next = [double.streams(piece("a"), b"data: nonsense\n\n")]
    with pytest.raises(ProviderBroke, match="no JSON"):
        await pieces(provider)


@pytest.mark.parametrize("answer", [[], {}, {"choices": []}, "text"])
async def test_an_answer_that_is_none(provider, double, answer):
    double.next = [says(answer)]
    with pytest.raises(ProviderBroke, match="no completion") as raised:
        await text(provider)
    assert raised.value.billed


async def test_who_leaves_a_stream_cancels_it_at_the_provider(provider, double):
    double.next = [double.streams(piece("a"), then="hang")]
    async with aclosing(provider.stream(HI)) as stream:
        await anext(stream)
    async with asyncio.timeout(60):
        await double.gone.wait()


async def test_a_provider_that_keeps_failing_is_left_alone(provider, double):
    provider.breaker = Breaker("the provider of model gpt", threshold=2, pause=3600)
    double.next = [says({}, 500)]
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await text(provider)
    with pytest.raises(CircuitOpen, match="left alone") as raised:
        await text(provider)
    assert raised.value.status == 503
    assert len(double.requests) == 6


async def test_one_request_that_a_provider_cannot_stand_does_not_shut_out_the_others(provider, double):
    provider.breaker = Breaker("the provider of model gpt", threshold=2, pause=3600)
    for _ in range(3):
        double.next = [says({}, 500)]
        with pytest.raises(ProviderUnavailable):
            await text(provider)
        double.next = [says(completion())]
        assert await text(provider) == "hello"


async def test_a_call_that_looks_whether_a_provider_is_back_tries_once_and_says_what_it_saw(provider, double):
    now = 0.0
    provider.breaker = Breaker("the provider of model gpt", threshold=1, pause=5, clock=lambda: now)
    double.next = [says({"error": {"message": "on fire"}}, 500)]
    with pytest.raises(ProviderUnavailable):
        await text(provider)
    now = 5.0
    with pytest.raises(ProviderUnavailable, match="on fire"):
        await text(provider)
    assert len(double.requests) == 4


async def test_refusals_say_that_the_provider_lives(provider, double):
    provider.breaker = Breaker("the provider of model gpt", threshold=1, pause=3600)
    for status in (400, 404, 429):
        double.next = [says({}, status)]
        with pytest.raises(ModelError, match=str(status)):
            await text(provider)
    double.next = [says(completion())]
    assert await text(provider) == "hello"


class Lost(Exception):
    """The call is another replica's."""


class Owner:
    """Says how often the call is this replica's."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def mine(self) -> None:
        self.times -= 1
        if self.times < 0:
            raise Lost


@pytest.mark.parametrize("streamed", [False, True])
async def test_nothing_is_sent_by_who_may_not_send_it_any_more(provider, double, streamed):
    await text(provider)  # A connection stands.
    sending = Sending(Owner(0).mine)
    with pytest.raises(Lost):
        await (anext(provider.stream(HI, sending)) if streamed else provider.ask("chat", HI, sending))
    assert len(double.requests) == 1
    assert await text(provider) == "hello"


async def test_each_try_is_asked_whether_it_may_be_sent(provider, double):
    double.next = [says({}, 500)]
    with pytest.raises(Lost):
        await provider.ask("chat", HI, Sending(Owner(2).mine))
    assert len(double.requests) == 2


async def test_all_tries_of_a_call_bear_its_name(provider, double):
    double.next = [says({}, 503), says(completion())]
    await provider.ask("chat", HI, Sending(key="c1"))
    assert [headers["idempotency-key"] for headers in double.headers] == ["c1", "c1"]
