"""`botyard worker-host`."""

from botyard.runtime.worker_host import run

__all__ = ["run"]
