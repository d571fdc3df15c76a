"""What a provider is, for those who call it."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from botyard.models.requests import Kind
from botyard.models.usage import Bound


class Provider(Protocol):
    """Answers checked requests. Every failure is a `ModelError`."""

    @property
    def limit_name(self) -> str:
        """Member that limits the output where a request has none: `max_tokens` or `max_completion_tokens`."""

    def bound(self, kind: Kind, request: Mapping[str, Any]) -> Bound:
        """Return what a request can use at most."""

    async def ask(self, kind: Kind, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the whole answer."""

    def stream(self, request: Mapping[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        """Return the pieces of a chat completion as they come, with the usage among the last."""
