"""Decorators that record an event for each call of a paid service, whether it succeeds, fails or is cancelled."""

import functools
import inspect
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

from botyard.workflow.accounting import context, recorder
from botyard.workflow.accounting.events import AccountingEvent, ServiceUsage

F = TypeVar("F", bound=Callable[..., Any])
Extractor = Callable[..., Any] | str | None
"""Given the call's arguments, and for the usage its result before them; a text stands for itself."""


class Repeatable:
    """A turn whose run may be repeated: what the platform then tells again, it has charged and recorded before."""

    def __init__(self, turn: str) -> None:
        self._turn = turn
        self._told: Counter[str] = Counter()

    def event_id(self, answer: str) -> str:
        """Return the id of the event of an answer, the same in each run."""
        self._told[answer] += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"botyard:{self._turn}:{answer}:{self._told[answer]}"))


repeatable: ContextVar[Repeatable | None] = ContextVar("botyard_accounting_repeatable", default=None)


def track(
    service_type: str,
    provider_extractor: Extractor = None,
    model_extractor: Extractor = None,
    usage_extractor: Extractor = None,
    metadata_extractor: Extractor = None,
    *,
    through_platform: bool = False,
) -> Callable[[F], F]:
    """Record an event for each call of a function: plain, asynchronous, or a generator of either kind.

    Args:
        service_type: For example `llm`.
        provider_extractor: Gets the call's arguments, returns who provides the service.
        model_extractor: Gets the call's arguments, returns which model or service it is.
        usage_extractor: Gets the result (of a generator the last item) and the call's arguments, returns a ServiceUsage
            or a mapping.
        metadata_extractor: Gets the call's arguments, returns a mapping that is added to the event.
        through_platform: The platform makes the call, and tells a repeated run of the turn the same answer.
    """

    def decorate(function: F) -> F:
        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Tracked":
            extractors = provider_extractor, model_extractor, usage_extractor, metadata_extractor
            return _Tracked(service_type, *extractors, args, kwargs, through_platform=through_platform)

        return _wrapped(function, begin)

    return decorate


def track_llm(
    provider_extractor: Extractor = None,
    model_extractor: Extractor = None,
    usage_extractor: Extractor = None,
    metadata_extractor: Extractor = None,
) -> Callable[[F], F]:
    """Record calls of a language model (see `track`)."""
    return _tracker("llm", provider_extractor, model_extractor, usage_extractor, metadata_extractor)


def track_embedding(
    provider_extractor: Extractor = None,
    model_extractor: Extractor = None,
    usage_extractor: Extractor = None,
    metadata_extractor: Extractor = None,
) -> Callable[[F], F]:
    """Record calls of an embedding model (see `track`)."""
    return _tracker("embedding", provider_extractor, model_extractor, usage_extractor, metadata_extractor)


def track_web_search(
    provider_extractor: Extractor = None,
    model_extractor: Extractor = None,
    usage_extractor: Extractor = None,
    metadata_extractor: Extractor = None,
) -> Callable[[F], F]:
    """Record calls of a web search (see `track`)."""
    return _tracker("web_search", provider_extractor, model_extractor, usage_extractor, metadata_extractor)


def _tracker(service_type: str, provider: Extractor, *others: Extractor) -> Callable[[F], F]:
    if not any(others) and (inspect.iscoroutinefunction(provider) or inspect.isasyncgenfunction(provider)):
        # Written without parentheses, as `@track_llm`: no extractor is asynchronous.
        found: Callable[[F], F] = track(service_type)(provider)  # type: ignore[assignment]
        return found
    return track(service_type, provider, *others)


def _wrapped(function: F, begin: Callable[[tuple[Any, ...], dict[str, Any]], "_Tracked"]) -> F:
    wrapper: Any
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def async_items(*args: Any, **kwargs: Any) -> Any:
            tracked, last = begin(args, kwargs), None
            try:
                async for last in function(*args, **kwargs):
                    yield last
            except GeneratorExit:
                # Whoever read has had enough: what was used was used.
                await recorder.record_async(tracked.event(last))
                raise
            except BaseException as error:
                await recorder.record_async(tracked.event(last, error))
                raise
            await recorder.record_async(tracked.event(last))

        wrapper = async_items
    elif inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            tracked = begin(args, kwargs)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                await recorder.record_async(tracked.event(None, error))
                raise
            await recorder.record_async(tracked.event(result))
            return result

        wrapper = awaited
    elif inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def items(*args: Any, **kwargs: Any) -> Any:
            tracked, last = begin(args, kwargs), None
            try:
                for last in function(*args, **kwargs):
                    yield last
            except GeneratorExit:
                recorder.record(tracked.event(last))
                raise
            except BaseException as error:
                recorder.record(tracked.event(last, error))
                raise
            recorder.record(tracked.event(last))

        wrapper = items
    else:

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            tracked = begin(args, kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                recorder.record(tracked.event(None, error))
                raise
            if inspect.isawaitable(result):
                return _when_awaited(result, tracked)
            recorder.record(tracked.event(result))
            return result

        wrapper = called
    found: F = wrapper
    return found


async def _when_awaited(result: Any, tracked: "_Tracked") -> Any:
    try:
        found = await result
    except BaseException as error:
        await recorder.record_async(tracked.event(None, error))
        raise
    await recorder.record_async(tracked.event(found))
    return found


class _Tracked:
    """One call under way. What is known around it is that of its beginning."""

    def __init__(
        self,
        service_type: str,
        provider: Extractor,
        model: Extractor,
        usage: Extractor,
        more: Extractor,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        through_platform: bool,
    ) -> None:
        self._through_platform = through_platform
        self._service_type = service_type
        self._provider, self._model, self._usage, self._more = provider, model, usage, more
        self._args, self._kwargs = args, kwargs
        self._context = context.get()
        self._metadata = context.metadata()
        self._seeds = context.seeds()
        self._began = time.monotonic()

    def event(self, result: Any, error: BaseException | None = None) -> AccountingEvent:
        """Return the event of the call's end."""
        told = _extract(self._more, self._args, self._kwargs)
        spent = round((time.monotonic() - self._began) * 1000)
        inner = {name: value for name, value in self._context.items() if name not in context.IDENTITY}
        inner.setdefault("conversation_id", None)
        inner.setdefault("turn_id", None)
        metadata = {**self._metadata, **(told if isinstance(told, Mapping) else {})}
        identity: dict[str, Any] = {name: self._context.get(name) for name in context.IDENTITY}
        request_id = _request_id(result)
        if self._through_platform and request_id and (run := repeatable.get()) is not None:
            identity["event_id"] = run.event_id(f"{self._service_type}:{request_id}")
        return AccountingEvent(
            service_type=self._service_type,
            provider=str(_extract(self._provider, self._args, self._kwargs) or "unknown"),
            model_or_service=self._model_of(result),
            usage=self._usage_of(result, error),
            success=error is None,
            error_message=None if error is None else f"{error}" or type(error).__name__,
            provider_request_id=request_id,
            seed_system_resources=self._seeds,
            metadata={**metadata, "processing_time_ms": spent},
            context=inner,
            **identity,
        )

    def _model_of(self, result: Any) -> str:
        # Which model answers the platform decides, and its answer tells.
        told = _member(result, "model") if self._through_platform else None
        return str(told or _extract(self._model, self._args, self._kwargs) or "unknown")

    def _usage_of(self, result: Any, error: BaseException | None) -> ServiceUsage:
        found = None
        if error is None or result is not None:
            found = _extract(self._usage, (result, *self._args), self._kwargs)
            if found is None:
                found = _member(result, "usage")
        if isinstance(found, ServiceUsage):
            return found.completed()
        if found is not None and not isinstance(found, Mapping):
            found = getattr(found, "__dict__", None)
        return ServiceUsage.from_dict(found if isinstance(found, Mapping) else {}).completed()


def _extract(extractor: Extractor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what an extractor says; None where it fails: it must not break the call that it describes."""
    if not callable(extractor):
        return extractor
    for given, named in ((args, kwargs), (args, {}), (args[:1], {}), ((), {})):
        try:
            inspect.signature(extractor).bind(*given, **named)
        except TypeError:
            continue
        except ValueError:
            pass
        try:
            return extractor(*given, **named)
        except Exception:
            recorder.log.warning("an extractor of accounting failed", exc_info=True)
            return None
    return None


def _request_id(result: Any) -> str | None:
    for name in ("provider_request_id", "provider_message_id", "request_id", "id"):
        found = _member(result, name)
        if isinstance(found, str) and found:
            return found
    return None


def _member(result: Any, name: str) -> Any:
    return result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
