"""A real S3 server for tests: Versity's gateway on a folder, built once from the Go module proxy."""

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard_operator.artifacts.bucket import BucketSettings
from tests.integration.git.server import Certificate

MODULE = Path(__file__).parent / "gateway"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
BUILD_SECONDS = 1800
START_SECONDS = 60.0
BUCKET = "artifacts"


def gateway_binary() -> Path:
    """Return the server's program, building it where the cache does not have it."""
    inputs = [MODULE / "go.mod", MODULE / "go.sum"]
    version = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "botyard" / "s3"
    cache.mkdir(parents=True, exist_ok=True)
    binary = cache / version / "versitygw"
    with (cache / "lock").open("w") as lock:
        # Processes of one test run ask at the same time; one builds.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
            if go is None:
                pytest.fail("Go 1.24 or newer is missing: install it (https://go.dev/doc/install).", pytrace=False)
            binary.parent.mkdir(exist_ok=True)
            partial = binary.with_suffix(".partial")
            subprocess.run(
                [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(partial), PACKAGE],
                cwd=MODULE,
                env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
                timeout=BUILD_SECONDS,
                check=True,
            )
            partial.replace(binary)
    return binary


class S3Server:
    """One server on a folder; what was stored survives `stop`."""

    def __init__(self, folder: Path, *, certificate: Certificate | None = None, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.host = host
        self.certificate = certificate
        self.access_key, self.secret_key = "botyard", "a secret of thirty-two characters"
        self.files = folder / "buckets"
        self.files.mkdir(parents=True)
        (folder / "attributes").mkdir()
        with socket.create_server((host, 0)) as free:
            self.port = int(free.getsockname()[1])
        scheme = "https" if certificate else "http"
        self.endpoint = f"{scheme}://{host}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bucket(self) -> Path:
        """The bucket's folder: objects are files in it."""
        return self.files / BUCKET

    def start(self) -> None:
        """Start the server and return when it answers."""
        (self.files / BUCKET).mkdir(exist_ok=True)
        command = [str(gateway_binary()), "--quiet", "--port", f"{self.host}:{self.port}"]
        if self.certificate:
            command += ["--cert", str(self.certificate.certificate), "--key", str(self.certificate.key)]
        command += ["posix", "--sidecar", str(self.folder / "attributes"), str(self.files)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "ROOT_ACCESS_KEY_ID": self.access_key, "ROOT_SECRET_ACCESS_KEY": self.secret_key},
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                pytest.fail(f"the S3 server did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server accept connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def settings(self, secret: Path, *, prefix: str = "", bucket: str = BUCKET) -> BucketSettings:
        """Return how an operator reaches the bucket; `secret` becomes the folder of its mounted Secret."""
        secret.mkdir(exist_ok=True)
        (secret / "access-key-id").write_text(self.access_key)
        (secret / "secret-access-key").write_text(f"{self.secret_key}\n")
        if self.certificate:
            (secret / "ca.crt").write_text(self.certificate.authority.read_text())
        return BucketSettings(url=f"s3://{bucket}/{prefix}", endpoint=self.endpoint, credentials=secret)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                if self.certificate:
                    return True
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(4) == b"HTTP"
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    # Before the tests, so that the time of the build is none of theirs.
    print(f"The S3 server of the tests is at {gateway_binary()}.")
