"""A real server of MongoDB's wire protocol (FerretDB on SQLite), built once by Go."""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "server"


def build() -> Path:
    """Return the server's program, built if it is not there."""
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    if go is None:
        pytest.fail("Go is not installed (https://go.dev/doc/install); the server for MongoDB's protocol needs it")
    content = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    folder = Path(tempfile.gettempdir()) / f"botyard-mongo-{hashlib.sha256(content).hexdigest()[:16]}"
    folder.mkdir(exist_ok=True)
    program = folder / "mongo"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            partial = folder / "partial"
            subprocess.run(
                [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(partial), "."],
                cwd=SOURCES, env={**os.environ, "CGO_ENABLED": "0"}, check=True, timeout=1500,
            )  # fmt: skip
            partial.rename(program)
    return program


@contextmanager
def running(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Run a server with its data in `folder` and give its address."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    log = (folder / "log").open("wb")
    process = subprocess.Popen([build(), f"{host}:{port}", str(folder)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                socket.create_connection((host, port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"the MongoDB server did not start:\n{(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.05)
        yield f"mongodb://{host}:{port}/"
    finally:
        process.terminate()
        process.wait()
        log.close()
