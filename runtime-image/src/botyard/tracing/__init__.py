"""Traces from message to commit, for OpenTelemetry; off unless the environment names a collector."""

import os
from collections.abc import Mapping

from botyard.tracing.tracer import NO_TRACES, Span, Tracer

__all__ = ["ENV_ENDPOINT", "NO_TRACES", "Span", "Tracer", "tracer"]

ENV_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own variable, as are the others: `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` and so on."""


def tracer(service: str, environ: Mapping[str, str] = os.environ) -> Tracer:
    """Return what makes the spans of a process.

    Args:
        service: Name of the process in traces, such as `botyard-gateway`.
        environ: Names the collector; without one nothing is made, and the exporter is not even imported.
    """
    if not environ.get(ENV_ENDPOINT):
        return NO_TRACES
    from botyard.tracing.open_telemetry import OpenTelemetryTracer

    return OpenTelemetryTracer(service)
