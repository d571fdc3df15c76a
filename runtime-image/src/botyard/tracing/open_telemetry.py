"""Spans by OpenTelemetry's own library, sent to a collector by OTLP over HTTP.

The exporter works in a thread of its own, from a bounded queue: where the collector is away or slow, spans are dropped
and nothing waits for it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from botyard.core.trace import carried
from botyard.tracing.tracer import Kind, Value

_HEADER = "traceparent"
_W3C = TraceContextTextMapPropagator()
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "consumer": trace.SpanKind.CONSUMER,
}
_PREFIX = "botyard."


class OpenTelemetryTracer:
    """Makes spans for a collector that the environment names (`OTEL_EXPORTER_OTLP_ENDPOINT`)."""

    def __init__(self, service: str) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.namespace": "botyard"})
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("botyard")

    @contextmanager
    def span(
        self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Mapping[str, Value] | None = None
    ) -> Iterator["OpenTelemetrySpan"]:
        """Return a span, as `Tracer.span`; what is accepted meanwhile in this task belongs to it."""
        above = _W3C.extract({_HEADER: parent}) if parent else trace.set_span_in_context(trace.INVALID_SPAN)
        # What a failure is, its maker says: a turn that is put aside leaves by an exception, too.
        with self._tracer.start_as_current_span(
            name, context=above, kind=_KINDS[kind], record_exception=False, set_status_on_exception=False
        ) as made:
            span = OpenTelemetrySpan(made)
            span.note(**(attributes or {}))
            token = carried.set(span.context)
            try:
                yield span
            finally:
                carried.reset(token)

    def close(self) -> None:
        """Send what is left and end the thread."""
        self._provider.shutdown()


class OpenTelemetrySpan:
    """A span that is being made."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        headers: dict[str, str] = {}
        _W3C.inject(headers, trace.set_span_in_context(span))
        self.context = headers.get(_HEADER, "")

    def note(self, **attributes: Value) -> None:
        """Add attributes, named `botyard.…`."""
        self._span.set_attributes({_PREFIX + name.replace("_", "."): value for name, value in attributes.items()})

    def fail(self, message: str) -> None:
        """Say that the work failed."""
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, message))
