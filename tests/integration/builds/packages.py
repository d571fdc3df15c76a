"""A package index over HTTP, with packages that the test makes."""

import hashlib
import io
import tarfile
import threading
import zipfile
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel(name: str, version: str, code: str = "", requires: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """Return the name and content of a wheel with one module."""
    info = f"{name}-{version}.dist-info"
    requirements = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{name}.py": code or f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirements}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for path, text in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-py3-none-any.whl", content.getvalue()


BACKEND = '''
"""A build backend in the package itself: building needs no other package."""
import os, sys, base64, hashlib, zipfile
NAME, VERSION = {name!r}, {version!r}
{setup}
def get_requires_for_build_wheel(config_settings=None): return []
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    files = {{
        f"{{NAME}}.py": FOUND if "FOUND" in globals() else "",
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n",
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    files[f"{{info}}/RECORD"] = "".join(f"{{path}},,\\n" for path in [*files, f"{{info}}/RECORD"])
    name = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
'''


def sdist(name: str, version: str, setup: str) -> tuple[str, bytes]:
    """Return a source distribution whose build runs `setup` (module-level code of its build backend)."""
    root = f"{name}-{version}"
    files = {
        f"{root}/PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{root}/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n',
        f"{root}/backend.py": BACKEND.format(name=name, version=version, setup=setup),
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", content.getvalue()


@dataclass
class Index:
    """A static "simple" index."""

    url: str = ""
    user: tuple[str, str] | None = None
    """Who may read; everybody where None."""
    given: tuple[str, str] | None = None
    """What builds are given instead of `user`."""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    redirect: str = ""
    """Where every page leads to instead."""

    def add(self, package: tuple[str, bytes]) -> str:
        """Add a file; return its sha256."""
        name, content = package
        self.files[name] = content
        return hashlib.sha256(content).hexdigest()

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        if self.user is not None:
            expected = f"Basic {b64encode(':'.join(self.user).encode()).decode()}"
            if headers.get("Authorization") != expected:
                return 401, {}, b"who are you?"
        if self.redirect:
            return 302, {"Location": self.redirect}, b""
        if path.startswith("/files/"):
            content = self.files.get(path.removeprefix("/files/"))
            return (404, {}, b"") if content is None else (200, {"Content-Type": "application/octet-stream"}, content)
        project = path.removeprefix("/simple/").strip("/").replace("-", "_")
        links = [
            f'<a href="/files/{name}#sha256={hashlib.sha256(content).hexdigest()}">{name}</a><br>'
            for name, content in self.files.items()
            if name.split("-")[0] == project
        ]
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        return (200, {"Content-Type": "text/html"}, page.encode()) if links else (404, {}, b"no such project")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, index: Index, *args: object) -> None:
        self._index = index
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        status, headers, body = self._index.answer(self.path, dict(self.headers.items()))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve() -> Iterator[Index]:
    index = Index()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, index))
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
