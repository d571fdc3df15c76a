"""What bots register as handlers: made awaitable, asked how much they take, stopped."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

Handler = Callable[..., Awaitable[Any]]


def asynchronous(handler: Callable[..., Any]) -> Handler:
    """Return `handler` as something to await; one that only returns its result blocks its own loop while it runs.

    Raises:
        TypeError: It cannot be called.
    """
    if inspect.iscoroutinefunction(handler):
        return handler
    if not callable(handler):
        raise TypeError(f"{handler!r} cannot be called; handlers are `async def`")

    @functools.wraps(handler, updated=())
    async def handle(*args: Any) -> Any:
        returned = handler(*args)
        return await returned if inspect.isawaitable(returned) else returned

    return handle


def stopping(running: asyncio.Task[Any]) -> Callable[[], None]:
    """Return what cancels a task from any thread."""
    loop = running.get_loop()

    def stop() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(running.cancel)

    return stop


def positional(handler: Handler) -> int:
    """Return how many positional arguments a handler takes."""
    kinds = [parameter.kind for parameter in inspect.signature(handler).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 3
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)
