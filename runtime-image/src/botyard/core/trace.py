"""The trace that what happens now belongs to; events carry it from who accepts them to who runs them."""

from contextvars import ContextVar

carried: ContextVar[str] = ContextVar("carried", default="")
"""In the form of the header `traceparent` (W3C Trace Context); empty: none."""
