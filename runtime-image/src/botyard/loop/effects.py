"""What a bot's code causes on the platform: tasks, threads, messages for threads.

Code that handles an event causes things as part of that event's turn: they are committed with it, once, or not at
all. Code between events (a loop that looks at something every minute) has no turn; what it causes is accepted as an
event of its own.
"""

import contextvars
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

MAX_EFFECTS = 200
"""Of one handled event."""


@dataclass
class Effects:
    """What the handling of one event causes.

    Attributes:
        key: The same on every run of the event, and of no other: ids of what is caused follow from it.
        actions: `{key, payload}` of events to come, in order.
        by: Who causes them: `{persona, thread}`, the thread where a tool is called.
    """

    key: str
    actions: list[dict[str, Any]] = field(default_factory=list)
    ids: int = 0
    by: dict[str, str] = field(default_factory=dict)

    def new_id(self, prefix: str) -> str:
        """Return an id that a re-run of the same code gets again."""
        self.ids += 1
        return prefix + blake2b(f"{self.key}/{self.ids}".encode(), digest_size=9).hexdigest()

    def add(self, key: str, payload: dict[str, Any]) -> None:
        """Cause the event `payload` for `key`.

        Raises:
            RuntimeError: One event causes more than `MAX_EFFECTS`.
        """
        if len(self.actions) >= MAX_EFFECTS:
            raise RuntimeError(f"one event may cause {MAX_EFFECTS} others, not more")
        self.actions.append({"key": key, "payload": payload})


Post = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Accepts an event at once: (key, payload)."""

_effects: contextvars.ContextVar[Effects | None] = contextvars.ContextVar("botyard_loop_effects", default=None)


def current() -> Effects | None:
    """Return what the event that is being handled causes; None between events."""
    return _effects.get()


def handling(effects: Effects | None) -> None:
    """From now on this context's code handles an event; None: it handles none."""
    _effects.set(effects)


_post: contextvars.ContextVar[Post | None] = contextvars.ContextVar("botyard_loop_post", default=None)


def posting(post: Post) -> None:
    """From now on what this context's code causes between events goes to `post`."""
    _post.set(post)


Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Asks the platform for something that is no event: (method, arguments) → answer."""

_ask: contextvars.ContextVar[Ask | None] = contextvars.ContextVar("botyard_loop_ask", default=None)


def asking(ask: Ask | None) -> None:
    """From now on what this context's code asks of the platform goes to `ask`."""
    _ask.set(ask)


async def ask(method: str, arguments: dict[str, Any]) -> Any:
    """Ask the platform for something, at once.

    Raises:
        RuntimeError: This code runs in no Persona's loop.
        PlatformError: The platform refuses.
    """
    if (asked := _ask.get()) is None:
        raise RuntimeError("only code of a Persona's loop can do this")
    return await asked(method, arguments)


async def cause(key: str, payload: dict[str, Any]) -> None:
    """Cause the event `payload` for `key`: with the event that is being handled, or at once where there is none.

    Raises:
        RuntimeError: This code runs in no Persona's loop, or causes too much.
    """
    if (effects := current()) is not None:
        effects.add(key, payload)
        return
    if (post := _post.get()) is None:
        raise RuntimeError("only code of a Persona's loop can do this")
    await post(key, payload)


def new_id(prefix: str) -> str:
    """Return a fresh id; in a handler one that a re-run of the event gets again."""
    effects = current()
    return prefix + secrets.token_hex(9) if effects is None else effects.new_id(prefix)
