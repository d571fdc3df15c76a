"""Which processes trace, and that those which do not load nothing for it."""

import subprocess
import sys

from botyard.core.trace import carried
from botyard.tracing import NO_TRACES, tracer


def test_without_a_collector_nothing_is_traced() -> None:
    assert tracer("botyard-runtime", {}) is NO_TRACES
    with NO_TRACES.span("turn", parent="00-" + "a" * 32 + "-" + "b" * 16 + "-01") as span:
        span.note(attempt=1)
        span.fail("no matter")
        assert span.context == ""
        assert carried.get() == ""


def test_the_exporter_is_loaded_only_where_it_is_used() -> None:
    loaded = "any('opentelemetry.exporter' in m for m in sys.modules)"
    probe = f"import sys, botyard.runtime.main, botyard.gateway.main; print({loaded})"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=600)
    assert ran.stdout.strip() == "False"
