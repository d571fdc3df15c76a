"""Steps: what a turn does to the world outside, once, however often the turn has to run.

A turn whose process dies is run again. What it had asked of others (a payment, a mail, a search) is not asked again
when it was a step: its result was kept before the bundle could use it.

    receipt = await botyard.step("charge", charge, order, 12.50)       # asynchronous code
    receipt = botyard.blocking_step("charge", charge, order, 12.50)    # code in threads, such as a state machine's

Steps are told apart by their place in the turn, their name and their arguments, so a turn must ask for the same steps
in the same order on every run. Whatever varies (the clock, chance, a search's answer) belongs into a step.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from botyard.program import TurnIO

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Turn:
    io: "TurnIO"
    loop: asyncio.AbstractEventLoop


_turn: contextvars.ContextVar[_Turn | None] = contextvars.ContextVar("botyard_turn", default=None)
_key: contextvars.ContextVar[str | None] = contextvars.ContextVar("botyard_idempotence_key", default=None)


def bind(io: "TurnIO") -> None:
    """Make the turn of `io` the one whose steps the code in this context takes; for hosts of turns."""
    _turn.set(_Turn(io, asyncio.get_running_loop()))


def idempotence_key() -> str:
    """Return the key of the step whose function runs now, to hand to a service that recognises repetitions.

    It is the same whenever this step is tried again: a process may die after the service has acted and before the
    step's result is kept, and then only the service can tell that it has acted already.

    Raises:
        RuntimeError: No step runs here.
    """
    key = _key.get()
    if key is None:
        raise RuntimeError("idempotence_key() is for functions that run as a step (see botyard.step)")
    return key


@overload
async def step(name: str, fn: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...


@overload
async def step(name: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...


async def step(name: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `fn` once and return its result as JSON has it; a re-run of the turn gets the kept result.

    A function that raises keeps nothing: it is called again when the turn is run again. A step may take further steps
    in its function.

    Args:
        name: What the step is; part of what tells it from others.
        fn: A coroutine function, or a function that is then called in a thread.
        *args: Its arguments, which JSON must be able to express; what it cannot belongs into a closure.
        **kwargs: The same, by name.

    Raises:
        RuntimeError: No turn runs here.
        TypeError: JSON cannot express the arguments or the result.
        JournalMismatch: An earlier run of this turn asked for something else at this place.
    """
    turn = current()

    async def call(key: str) -> Any:
        _key.set(key)
        if inspect.iscoroutinefunction(fn):
            return await fn(*args, **kwargs)
        result = await asyncio.to_thread(fn, *args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    request = {"args": args, "kwargs": kwargs}
    here = asyncio.get_running_loop()
    if here is turn.loop:
        # A task of its own keeps the key from what runs after the step.
        return await turn.io.step(name, request, lambda key: asyncio.create_task(call(key)))

    async def call_there(key: str) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(key), here))

    taking = asyncio.run_coroutine_threadsafe(turn.io.step(name, request, call_there), turn.loop)
    return await asyncio.wrap_future(taking)


def blocking_step(name: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do as `step` does for code that runs in a thread: `fn` is called in this thread, which waits.

    Args:
        name: As for `step`.
        fn: A function; coroutine functions are for `step`.
        *args: As for `step`.
        **kwargs: As for `step`.

    Raises:
        RuntimeError: No turn runs here, or this is the event loop's own thread, which must not wait.
        TypeError: As for `step`, or `fn` is a coroutine function.
        JournalMismatch: As for `step`.
    """
    turn = current()
    if inspect.iscoroutinefunction(fn):
        raise TypeError(f"step {name!r}: a coroutine function needs `await botyard.step(…)`")
    if asyncio._get_running_loop() is turn.loop:
        raise RuntimeError(f"step {name!r}: asynchronous code must use `await botyard.step(…)`")
    # `io.step` asks for the call by `wanted`; this thread makes it and answers by `made`.
    wanted: Future[contextvars.Context] = Future()
    made: Future[Any] = Future()

    async def call(key: str) -> Any:
        _key.set(key)
        wanted.set_result(contextvars.copy_context())
        return await asyncio.wrap_future(made)

    request = {"args": args, "kwargs": kwargs}
    taking = asyncio.run_coroutine_threadsafe(turn.io.step(name, request, call), turn.loop)
    taking.add_done_callback(lambda _: wanted.cancel())
    try:
        context = wanted.result()
    except CancelledError:
        kept: T = taking.result()
        return kept
    try:
        made.set_result(context.run(fn, *args, **kwargs))
    except Exception as error:
        made.set_exception(error)
    except BaseException:
        # Such as SystemExit: it ends this turn, and must not reach the event loop.
        made.cancel()
        raise
    result: T = taking.result()
    return result


def current() -> _Turn:
    """Return the turn whose code runs here.

    Raises:
        RuntimeError: No turn runs here.
    """
    turn = _turn.get()
    if turn is None:
        raise RuntimeError("steps can be taken, and models asked, while a turn runs, by its own code")
    return turn
