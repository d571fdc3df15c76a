"""Archives, and a real HTTP server that serves them well or badly."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Members = list[tuple[tarfile.TarInfo, bytes]]


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field_name, value in fields.items():
        setattr(info, field_name, value)
    return info, content


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Origin:
    """Serves `content` to whoever has `token`; `answers` are used up first."""

    content: bytes = b""
    token: str = "token"
    answers: list[Callable[["Origin", BaseHTTPRequestHandler], None]] = field(default_factory=list)
    requests: int = 0
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        origin = self.server.origin  # type: ignore[attr-defined]
        origin.requests += 1
        if origin.answers:
            origin.answers.pop(0)(origin, self)
            return
        if self.headers["Authorization"] != f"Bearer {origin.token}":
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(origin.content)))
        self.end_headers()
        self.wfile.write(origin.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def origin() -> Iterator[Origin]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        http.daemon_threads = True
        origin = Origin(url=f"http://127.0.0.1:{http.server_address[1]}/v1/artifacts/x.tar.gz")
        http.origin = origin  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield origin
        http.shutdown()
        thread.join(5)


def tree(folder: Path) -> dict[str, str]:
    """Return every file and link below a folder with its content or target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
    return found
