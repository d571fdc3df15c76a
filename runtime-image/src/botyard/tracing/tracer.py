"""What the parts of Botyard see of tracing."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol, Self

Value = str | int | float | bool
Kind = Literal["internal", "server", "client", "consumer"]


class Span(Protocol):
    """One piece of work of a trace."""

    @property
    def context(self) -> str:
        """The span as a `traceparent`, for its children; empty: it is not traced."""

    def note(self, **attributes: Value) -> None:
        """Add attributes; `_` in a name becomes `.`, and `botyard.` stands before it."""

    def fail(self, message: str) -> None:
        """Say that the work failed."""


class Tracer(Protocol):
    """Makes spans."""

    def span(
        self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Mapping[str, Value] | None = None
    ) -> AbstractContextManager[Span]:
        """Return a span of the work inside `with`; an exception ends it and does not fail it.

        Args:
            name: What is done, without identifiers.
            kind: On whose behalf.
            parent: Its parent as a `traceparent`; empty or malformed: it begins a trace.
            attributes: As for `Span.note`.
        """

    def close(self) -> None:
        """Send what is left, for some seconds at most."""


class _NoSpan:
    """Nothing, at the cost of nothing."""

    context = ""

    def note(self, **attributes: Value) -> None:
        pass

    def fail(self, message: str) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class _NoTraces:
    """Traces nothing."""

    _span = _NoSpan()

    def span(
        self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Mapping[str, Value] | None = None
    ) -> _NoSpan:
        return self._span

    def close(self) -> None:
        pass


NO_TRACES: Tracer = _NoTraces()
