"""The way of one model call: which model, is there room, does it fit the budget, ask, keep, pay."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from botyard.budget.calls import Call, Hold, Meter, Spender, Usage, Warning80
from botyard.budget.costs import cost
from botyard.budget.errors import BudgetError
from botyard.contract.model import ModelConfig
from botyard.models import requests
from botyard.models.completions import Collected
from botyard.models.errors import BudgetRefused, ModelError, NoModel
from botyard.models.metrics import ModelMetrics
from botyard.models.provider import PLAIN, Sending
from botyard.models.requests import Kind
from botyard.models.signature import signature_of
from botyard.models.targets import Target, Targets
from botyard.models.usage import Bound, reported

log = logging.getLogger("botyard.models")

Keep = Callable[[dict[str, Any]], Awaitable[None]]
"""Keeps a whole answer before anybody uses it."""


Warn = Callable[[Warning80], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what."""

    call: str
    """Id of this very request."""
    spender: Spender
    role: str = ""
    """Role whose model is asked; empty: the one that the request names, or the Bot's."""
    warn: Warn | None = None
    """Told when the call used a budget up to 80 %."""
    mine: Callable[[], Awaitable[Any]] | None = None
    """Raises when the call is not this replica's to make any more; asked last, before anybody is paid."""
    key: str = ""
    """Names what is asked, whichever run of the turn asks it; told to the provider."""


@dataclass(slots=True)
class _Open:
    """A call that has its reservation."""

    target: Target
    request: dict[str, Any]
    bound: Bound
    hold: Hold
    warn: Warn | None
    sending: Sending = PLAIN
    answered: bool = False
    refused: bool = False
    """It was not this replica's any more: nothing was sent."""
    usage: Usage | None = field(default=None)


class ModelAccess:
    """All model calls of one replica."""

    def __init__(
        self,
        meter: Meter,
        *,
        config: Callable[[], ModelConfig | None],
        scripts: Path,
        keys: Path,
        registry: CollectorRegistry,
    ) -> None:
        """Prepare; nothing is connected before the first call.

        Args:
            meter: Reserves and settles.
            config: The Bot's models as they are declared now.
            scripts: Folder of model scripts.
            keys: Folder of API keys.
            registry: Where calls are counted.
        """
        self._meter = meter
        self._config = config
        self._targets = Targets(scripts=scripts, keys=keys)
        self._metrics = ModelMetrics(registry)
        self._settling: set[asyncio.Task[Any]] = set()

    def names(self) -> list[str]:
        """Return what a request may name: the Bot's model and its roles."""
        config = self._config()
        return [] if config is None else list(dict.fromkeys([config.name or config.provider, *config.roles]))

    async def close(self) -> None:
        """Close connections, after what is being settled."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=5.0)
        await self._targets.close()

    async def ask(self, kind: Kind, body: Any, asked: Asked, keep: Keep) -> dict[str, Any]:
        """Return the whole answer to a request as it came.

        Raises:
            ModelError: Refused or failed.
        """
        async with self._open(kind, requests.checked(kind, body), asked) as call:
            answer = await call.target.provider.ask(kind, call.request, call.sending)
            call.answered, call.usage = True, reported(answer, call.bound)
            _tell_cost(call, answer)
            await keep(answer)
            return answer

    async def stream(self, body: Any, asked: Asked, keep: Keep) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the pieces of an answer; its end comes after the whole is kept.

        Raises:
            ModelError: Refused or failed.
        """
        collected = Collected()
        async with self._open("chat", requests.checked("chat", body), asked) as call:
            last: list[dict[str, Any]] = []
            async with aclosing(call.target.provider.stream(call.request, call.sending)) as pieces:  # type: ignore[type-var]
                async for events in pieces:
                    # What tells the reader that the answer is whole waits until it is kept.
                    going_on = collected.add_all(events)
                    if going_on:
                        yield events[:going_on]
                    last += events[going_on:]
            call.answered = True
            whole = collected.completion()
            call.usage = reported(whole, call.bound)
            _tell_cost(call, whole, *last)
            await keep(whole)
            yield last

    @asynccontextmanager
    async def _open(self, kind: Kind, request: dict[str, Any], asked: Asked) -> AsyncIterator[_Open]:
        config = self._config()
        if config is None:
            raise NoModel("the Bot has no model: declare one in spec.model")
        target = self._targets.find(config, role=asked.role, named=str(request.get("model", "")))
        with self._metrics.measured(target.name) as measured:
            async with target.slot():
                call = await self._reserve(kind, request, asked, target)
                call.sending = Sending(_noting(call, asked.mine), asked.key)
                try:
                    yield call
                except ModelError as error:
                    measured.failed(error.code)
                    await self._end(call, billed=error.billed and not call.refused)
                    raise
                except BaseException:
                    # Whoever asked is gone, or the answer could not be kept.
                    measured.failed("cancelled")
                    self._settle_later(self._end(call, billed=not call.refused))
                    raise
                else:
                    for warning in await self._end(call, billed=True):
                        if call.warn is not None:
                            await call.warn(warning)

    async def _reserve(self, kind: Kind, request: dict[str, Any], asked: Asked, target: Target) -> _Open:
        provider = target.provider
        bound = provider.bound(kind, request)
        if kind == "embeddings":
            limit: int | None = 1  # there is no output, and a limit of 0 would mean none is named
        else:
            limit = None if bound.output_tokens is None else max(1, bound.output_tokens)
        try:
            hold = await self._meter.reserve(
                Call(
                    id=asked.call,
                    model=target.model,
                    provider=target.provider_name,
                    input_tokens=bound.input_tokens,
                    max_output_tokens=limit,
                    spender=asked.spender,
                    signature=signature_of(target.name, request),
                )
            )
        except BudgetError as error:
            raise BudgetRefused(error) from error
        if kind == "chat":
            request = requests.with_output_limit(request, hold.max_output_tokens, name=provider.limit_name)
            bound = Bound(bound.input_tokens, hold.max_output_tokens)
        return _Open(target, request, bound, hold, asked.warn)

    async def _end(self, call: _Open, *, billed: bool) -> tuple[Warning80, ...]:
        if not call.answered and not billed:
            await self._meter.release(call.hold)
            return ()
        if call.answered and call.usage is None:
            log.warning("%s reported no usage that can be true; its worst case is charged", call.target.name)
        return (await self._meter.settle(call.hold, call.usage if call.answered else None)).warnings

    def _settle_later(self, ending: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(ending)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)


def _noting(call: _Open, mine: Callable[[], Awaitable[Any]] | None) -> Callable[[], Awaitable[Any]] | None:
    """Return `mine`, having noted that nothing of a try is sent unless it returns, however it ends."""
    if mine is None:
        return None

    async def ask() -> None:
        call.refused = True
        await mine()
        call.refused = False

    return ask


def _tell_cost(call: _Open, *answers: dict[str, Any]) -> None:
    """Write what the call costs into its usage, as `coins`: who asked may keep account of it."""
    coins = call.hold.coins if call.usage is None else min(cost(call.hold.rates, call.usage), call.hold.coins)
    for answer in answers:
        if isinstance(usage := answer.get("usage"), dict):
            usage["coins"] = coins
