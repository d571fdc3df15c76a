"""What a provider is, for those who call it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botyard.models.requests import Kind
from botyard.models.usage import Bound


@dataclass(frozen=True, slots=True)
class Sending:
    """How a request goes out."""

    mine: Callable[[], Awaitable[Any]] | None = None
    """Raises when the call is not this replica's to make any more; asked before every try, as late as possible."""
    key: str = ""
    """Names the call, the same on every try of whichever replica; empty: it has no name."""


PLAIN = Sending()
"""Whenever, and without a name."""


class Provider(Protocol):
    """Answers checked requests. Every failure is a `ModelError`."""

    @property
    def limit_name(self) -> str:
        """Member that limits the output where a request has none: `max_tokens` or `max_completion_tokens`."""

    def bound(self, kind: Kind, request: Mapping[str, Any]) -> Bound:
        """Return what a request can use at most."""

    async def ask(self, kind: Kind, request: Mapping[str, Any], sending: Sending = PLAIN) -> dict[str, Any]:
        """Return the whole answer."""

    def stream(self, request: Mapping[str, Any], sending: Sending = PLAIN) -> AsyncIterator[list[dict[str, Any]]]:
        """Return the pieces of a chat completion as they come, with the usage among the last."""
