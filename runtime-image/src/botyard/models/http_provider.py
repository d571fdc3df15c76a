"""Any endpoint that speaks the OpenAI protocol, by aiohttp.

The `openai` package is for bundles' code; here its client would cost four times the processor time of a request, and
the supervisor makes all calls of a replica.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from botyard.models import completions, requests
from botyard.models.breaker import Breaker
from botyard.models.errors import (
    CircuitOpen,
    ModelError,
    ModelTimeout,
    ProviderBroke,
    ProviderRefused,
    ProviderUnavailable,
)
from botyard.models.http_session import Passage
from botyard.models.provider import PLAIN, Sending
from botyard.models.requests import Kind
from botyard.models.retries import RETRIED, RetryPolicy, retry_after
from botyard.models.sse import EventParser
from botyard.models.usage import Bound

log = logging.getLogger("botyard.models")

OPENAI = "https://api.openai.com/v1"
MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer that is not streamed."""
_PATHS: dict[Kind, str] = {"chat": "/chat/completions", "embeddings": "/embeddings"}
_MESSAGE = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for a provider."""

    connect: float = 10.0
    answer: float = 300.0
    """For the first byte of an answer."""
    silence: float = 60.0
    """Between two pieces of a stream."""
    whole: float = 900.0
    """For a whole call."""


@dataclass(slots=True)
class HttpProvider:
    """One endpoint with one model.

    Args:
        session: Of `http_session.new_session`, shared by all providers; keeps connections.
        key: Reads the API key as it is now; empty for none.
        model: Name of the model at the provider.
        endpoint: Base URL.
        patience: Time-outs.
        retries: When to try again.
        breaker: Guards the endpoint.
        sleep: Waits between tries.
    """

    session: aiohttp.ClientSession
    key: Callable[[], str]
    model: str
    endpoint: str = OPENAI
    patience: Patience = Patience()
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: Breaker = field(default_factory=lambda: Breaker("the provider"))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def limit_name(self) -> str:
        """What the provider calls the limit of output tokens: OpenAI renamed it, others kept the old name."""
        return "max_completion_tokens" if self.endpoint.startswith(OPENAI) else "max_tokens"

    def bound(self, kind: Kind, request: Mapping[str, Any]) -> Bound:
        """Return what a request can use at most."""
        if kind == "embeddings":
            return Bound(requests.input_bound(request), 0)
        return Bound(requests.input_bound(request), requests.output_limit(request))

    async def ask(self, kind: Kind, request: Mapping[str, Any], sending: Sending = PLAIN) -> dict[str, Any]:
        """Return the whole answer; tries again where that is safe."""

        async def attempt() -> dict[str, Any]:
            async with await self._send(kind, {**request, "model": self.model}, sending) as response:
                answer = await self._whole(response)
            if kind == "embeddings":
                given = request["input"]
                single = isinstance(given, str) or isinstance(given[0], int)
                return completions.checked_embeddings(answer, 1 if single else len(given))
            return completions.checked(answer)

        async with self._deadline():
            return await self._persistently(attempt)

    async def stream(self, request: Mapping[str, Any], sending: Sending = PLAIN) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the pieces as they come; tries again until the first one came."""
        options = {**request.get("stream_options", {}), "include_usage": True}
        body = {**request, "model": self.model, "stream": True, "stream_options": options}
        parser, ended = EventParser(), False
        async with self._deadline():
            response = await self._persistently(lambda: self._send("chat", body, sending))
            try:
                while not parser.done and (chunk := await self._piece(response)):
                    if events := parser.feed(chunk):
                        ended = ended or _ends(events)
                        yield events
            finally:
                # Cancels the call at the provider, if it is not over.
                response.close() if not parser.done else response.release()
        if not (parser.done or ended):
            self.breaker.failed()
            raise ProviderBroke(f"{self._who()} ended its stream in the middle")
        self.breaker.succeeded()

    async def _piece(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            async with asyncio.timeout(self.patience.silence):
                return await response.content.readany()
        except TimeoutError:
            self.breaker.failed()
            raise ModelTimeout(
                f"{self._who()} was silent for {self.patience.silence:g} s in the middle of an answer"
            ) from None
        except aiohttp.ClientError as error:
            self.breaker.failed()
            raise ProviderBroke(f"{self._who()} broke off in the middle of an answer: {error}") from error

    def _deadline(self) -> "_Deadline":
        return _Deadline(self.patience.whole, self._who())

    async def _persistently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        self.breaker.enter()
        while True:
            try:
                result = await attempt()
            except _Again as error:
                failures += 1
                pause = self.retries.pause(failures, error.asked)
                if error.counts and (pause is None or self.breaker.is_open):
                    # One call counts once, however often it was tried: a single request that a provider cannot
                    # stand must not shut out all others. One that looks whether it is back says so at once.
                    self.breaker.failed()
                else:
                    self.breaker.left()
                if pause is None:
                    raise error.reason from error
                log.info("tried again in %.1f s: %s", pause, error.reason)
                await self.sleep(pause)
                try:
                    self.breaker.enter()
                except CircuitOpen:
                    raise error.reason from error
            except ProviderRefused:
                self.breaker.succeeded()
                raise
            except ModelError:
                self.breaker.failed()
                raise
            except BaseException:
                self.breaker.left()
                raise
            else:
                self.breaker.succeeded()
                return result

    async def _send(self, kind: Kind, body: Mapping[str, Any], sending: Sending) -> aiohttp.ClientResponse:
        """Return the response's head if it says that all is well.

        Raises:
            _Again: It may work in a moment, and nothing was done.
            ModelError: It failed.
            Exception: What `sending.mine` raised; nothing was sent.
        """
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if key := self.key():
            headers["authorization"] = f"Bearer {key}"
        if sending.key:
            headers["idempotency-key"] = sending.key
        passage = Passage(sending.mine)
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self.patience.answer):
                response = await self.session.post(
                    self.endpoint.rstrip("/") + _PATHS[kind],
                    data=data,
                    headers=headers,
                    allow_redirects=False,  # the key is for this address alone
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.patience.connect),
                    trace_request_ctx=passage,
                )
        except aiohttp.ClientError as error:
            raise (passage.refused or self._broken(error, passage)) from error
        except TimeoutError:
            raise ModelTimeout(f"{self._who()} did not answer within {self.patience.answer:g} s") from None
        except ValueError as error:
            raise ProviderBroke(f"{self._who()} did not answer as HTTP says: {error}") from error
        if response.status == 200:
            return response
        async with response:
            raise await self._refusal(response)

    def _broken(self, error: aiohttp.ClientError, passage: Passage) -> Exception:
        """Return what it means that the connection failed."""
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return _Again(ProviderUnavailable(f"{self._who()} cannot be reached: {error}"))
        if not isinstance(error, aiohttp.ServerDisconnectedError):
            return ProviderBroke(f"{self._who()} did not answer as HTTP says: {error}")
        if not passage.reused:
            return ProviderBroke(f"{self._who()} took the request and closed the connection")
        # It was kept open, and the other side had closed it: the request was not read.
        return _Again(ProviderUnavailable(f"{self._who()} closed the connection without an answer"))

    async def _refusal(self, response: aiohttp.ClientResponse) -> Exception:
        status, said = response.status, await self._complaint(response)
        if status in (401, 403):
            # Providers repeat parts of the key here, so their words stay out of what a bundle can read.
            return ProviderRefused(
                f"{self._who()} does not accept the Bot's key ({status}): see spec.model.secretRef", status=502
            )
        if status in RETRIED:
            final = 429 if status == 429 else 502
            reason = ProviderUnavailable(f"{self._who()} answered {status}: {said}", status=final)
            # Too many requests says that the provider lives.
            return _Again(reason, asked=retry_after(response.headers), counts=status != 429)
        if 400 <= status < 500:
            return ProviderRefused(f"{self._who()} refused the request ({status}): {said}", status=status)
        return ProviderBroke(f"{self._who()} answered {status}: {said}")

    async def _complaint(self, response: aiohttp.ClientResponse) -> str:
        try:
            async with asyncio.timeout(self.patience.connect):
                text = (await response.content.read(65_536)).decode("utf-8", "replace")
        except (TimeoutError, aiohttp.ClientError):
            return "(no reason given)"
        try:
            error = json.loads(text)["error"]
            text = str(error["message"] if isinstance(error, dict) else error)
        except (ValueError, KeyError, TypeError):
            pass
        key = self.key()
        return (text.replace(key, "…") if key else text)[:_MESSAGE] or "(no reason given)"

    async def _whole(self, response: aiohttp.ClientResponse) -> Any:
        body = bytearray()
        try:
            while chunk := await response.content.readany():
                body += chunk
                if len(body) > MAX_BODY:
                    raise ProviderBroke(f"{self._who()} sent more than {MAX_BODY} bytes")
        except aiohttp.ClientError as error:
            raise ProviderBroke(f"{self._who()} broke off in the middle of an answer: {error}") from error
        try:
            return json.loads(body)
        except ValueError as error:
            raise ProviderBroke(f"{self._who()} answered something that is no JSON") from error

    def _who(self) -> str:
        return f"the provider of model {self.model}"


def _ends(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of these says why the answer ends: some servers leave out the `[DONE]` after it."""
    for event in events:
        choices = event.get("choices")
        if isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices):
            return True
    return False


class _Again(Exception):
    """A try that failed and left nothing behind."""

    def __init__(self, reason: ModelError, *, asked: float | None = None, counts: bool = True) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.asked = asked
        self.counts = counts


class _Deadline:
    """Ends what is inside after so many seconds with a ModelTimeout."""

    def __init__(self, seconds: float, who: str) -> None:
        self._seconds = seconds
        self._who = who
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise ModelTimeout(f"{self._who} did not end its answer within {self._seconds:g} s") from None
