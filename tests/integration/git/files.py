"""A real HTTP server of files for tests, with ETags, redirects and a password."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FileServer:
    """Serves `files` by path; records what it is asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    password: str = ""
    statuses: list[int] = field(default_factory=list)
    """Status of every answer, in order."""
    authorizations: list[str] = field(default_factory=list)
    cut: bool = False
    """Promise more than is sent."""
    _http: ThreadingHTTPServer | None = None

    def url(self, name: str, *, host: str = "127.0.0.1") -> str:
        assert self._http is not None
        return f"http://{host}:{self._http.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        served = self.server.files
        name = self.path.lstrip("/").partition("?")[0]
        served.authorizations.append(self.headers.get("Authorization", ""))
        expected = base64.b64encode(f"nora:{served.password}".encode()).decode()
        content = served.files.get(name)
        if name in served.redirects:
            self._answer(302, b"", Location=served.redirects[name])
        elif served.password and self.headers.get("Authorization") != f"Basic {expected}":
            self._answer(401, b"")
        elif content is None:
            self._answer(404, b"")
        else:
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            same = self.headers.get("If-None-Match") == etag
            self._answer(304 if same else 200, b"" if same else content, ETag=etag)

    def _answer(self, status: int, content: bytes, **headers: str) -> None:
        self.server.files.statuses.append(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + (1000 if self.server.files.cut else 0)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: FileServer


@contextlib.contextmanager
def serve_files() -> Iterator[FileServer]:
    """Serve files until the block ends."""
    files = FileServer()
    with _Server(("127.0.0.1", 0), _Handler) as http:
        http.files, files._http = files, http
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield files
        finally:
            http.shutdown()
            thread.join(10)
