"""A real PostgreSQL with pgvector for tests, in a process of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pgserver


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server on a socket below `folder`; yields its address."""
    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
