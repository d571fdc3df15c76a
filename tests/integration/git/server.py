"""A real git server over smart HTTP for tests: `git http-backend` behind a small threaded CGI server.

Also the misbehaving kinds that a fetch has to survive: one that stalls, one that sends garbage, one that redirects.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Nora",
    "GIT_AUTHOR_EMAIL": "nora@example.com",
    "GIT_COMMITTER_NAME": "Nora",
    "GIT_COMMITTER_EMAIL": "nora@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def git(*arguments: str, cwd: Path, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run git with a fixed identity and nothing of the machine's configuration; return its output."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        input=stdin,
        env={**os.environ, **_IDENTITY, **(env or {})},
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode().strip()


@dataclass
class Repository:
    """A bare repository, written to without a work tree."""

    path: Path
    name: str

    @classmethod
    def create(cls, root: Path, name: str, *, object_format: str = "sha1") -> Repository:
        path = root / name
        path.mkdir(parents=True)
        git("init", "--quiet", "--bare", "-b", "main", f"--object-format={object_format}", ".", cwd=path)
        git("config", "uploadpack.allowFilter", "true", cwd=path)
        return cls(path, name)

    def commit(
        self,
        files: Mapping[str, str | bytes],
        *,
        branch: str = "main",
        links: Mapping[str, str] | None = None,
        executables: tuple[str, ...] = (),
        parent: str | None = "",
        message: str = "change",
    ) -> str:
        """Commit exactly these files to a branch and return the commit's id.

        `parent`: an id, None for a commit without history, or empty for the branch's head.
        """
        index = {"GIT_INDEX_FILE": str(self.path / f"index-{threading.get_ident()}")}
        Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        records = []
        for name, content in {**files, **(links or {})}.items():
            data = content.encode() if isinstance(content, str) else content
            oid = git("hash-object", "-w", "--stdin", cwd=self.path, stdin=data)
            mode = "120000" if links and name in links else "100755" if name in executables else "100644"
            records.append(f"{mode} {oid}\t{name}\0".encode())
        git("update-index", "--add", "-z", "--index-info", cwd=self.path, stdin=b"".join(records), env=index)
        tree = git("write-tree", cwd=self.path, env=index)
        return self.commit_tree(tree, branch=branch, parent=parent, message=message)

    def commit_tree(self, tree: str, *, branch: str = "main", parent: str | None = "", message: str = "change") -> str:
        if parent == "":
            parent = git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", cwd=self.path) or None
        parents = ["-p", parent] if parent else []
        commit = git("commit-tree", tree, *parents, "-m", message, cwd=self.path)
        git("update-ref", f"refs/heads/{branch}", commit, cwd=self.path)
        return commit

    def raw_tree(self, entries: list[tuple[str, bytes, str]]) -> str:
        """Write a tree object of (mode, name, oid) as it is, also one that git itself would refuse to make."""
        body = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
        return git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", cwd=self.path, stdin=body)

    def blob(self, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        return git("hash-object", "-w", "--stdin", cwd=self.path, stdin=data)

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> None:
        options = ["-a", "-m", name] if annotated else []
        git("tag", "--force", *options, name, commit, cwd=self.path)

    def reset(self, branch: str, commit: str) -> None:
        """Force the branch to a commit, forwards or backwards."""
        git("update-ref", f"refs/heads/{branch}", commit, cwd=self.path)


@dataclass
class GitServer:
    """Serves the repositories below `root`; records what it is asked."""

    root: Path
    username: str = ""
    password: str = ""
    bearer: str = ""
    protocol_v2: bool = True
    """False: behaves like an old server, which hands out no commit by its bare id."""
    requests: list[str] = field(default_factory=list)
    """Method and path of every request, in order."""
    commands: list[str] = field(default_factory=list)
    """What git's protocol was asked for in these: `ls-refs` lists refs, `fetch` transfers objects."""
    authorizations: list[str] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    """Path prefix → prefix or URL to redirect to."""
    status: int = 0
    """Not 0: answer every request with this status."""
    hold: threading.Event | None = None
    """Set: requests wait for it (at most 60 s), so that a test can act while a fetch is under way."""
    arrived: threading.Event = field(default_factory=threading.Event)
    keep_alive: bool = True
    """False: every connection ends after one request."""
    says_goodbye: bool = True
    """False: such an end is not announced."""
    scheme: str = "http"
    _http: ThreadingHTTPServer | None = None

    def repository(self, name: str = "bots.git", *, object_format: str = "sha1") -> Repository:
        return Repository.create(self.root, name, object_format=object_format)

    def url(self, repository: Repository | str, *, host: str = "127.0.0.1") -> str:
        name = repository if isinstance(repository, str) else repository.name
        assert self._http is not None
        return f"{self.scheme}://{host}:{self._http.server_address[1]}/{name}"

    @property
    def packs(self) -> int:
        """Requests that may transfer objects or list refs (POST); a v2 ls-remote makes exactly one."""
        return sum(request.startswith("POST") for request in self.requests)

    def forget(self) -> None:
        self.requests.clear()
        self.commands.clear()
        self.authorizations.clear()

    def allows(self, header: str) -> bool:
        if self.bearer:
            return header == f"Bearer {self.bearer}"
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return header == f"Basic {pair}"
        return True


@dataclass(frozen=True)
class Certificate:
    """A server's certificate for 127.0.0.1 by an authority of its own."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def create(cls, folder: Path) -> Certificate:
        """Make authority and certificate with openssl."""
        made = cls(folder / "ca.crt", folder / "server.crt", folder / "server.key")
        new = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        )
        authority = ("-subj", "/CN=Private authority", "-out", str(made.authority))
        server = ("-subj", "/CN=127.0.0.1", "-out", str(made.certificate), "-keyout", str(made.key))
        signed = ("-CA", str(made.authority), "-CAkey", str(folder / "ca.key"))
        extensions = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
        commands = [(*new, *authority, "-keyout", str(folder / "ca.key")), (*new, *server, *signed, *extensions)]
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        return made


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        git_server = self.server.git_server
        parts = urlsplit(self.path)
        body = self._body()
        git_server.requests.append(f"{self.command} {self.path}")
        if command := re.search(rb"command=([a-z-]+)", body):
            git_server.commands.append(command[1].decode())
        git_server.authorizations.append(self.headers.get("Authorization", ""))
        git_server.arrived.set()
        self.close_connection = self.close_connection or not git_server.keep_alive
        if git_server.hold is not None:
            git_server.hold.wait(60)
        for prefix, target in git_server.redirects.items():
            if parts.path.startswith(prefix + "/"):
                rest = self.path.removeprefix(prefix)
                self._answer(301, [("Location", target + rest)], b"")
                return
        if git_server.status:
            self._answer(git_server.status, [], b"no\n")
            return
        if not git_server.allows(self.headers.get("Authorization", "")):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"no\n")
            return
        self._backend(parts.path, parts.query, body)

    def _backend(self, path: str, query: str, body: bytes) -> None:
        git_server = self.server.git_server
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(git_server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        if git_server.protocol_v2 and "Git-Protocol" in self.headers:
            env["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        done = subprocess.run(
            ["git", "http-backend"], env=env, input=body, capture_output=True, check=False, timeout=60
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self._answer(status, [(name, value) for name, value in headers if name != "Status"], content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(blocks)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            if self.server.git_server.says_goodbye and not self.server.git_server.keep_alive:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    git_server: GitServer


@contextlib.contextmanager
def serve(
    root: Path, *, address: str = "127.0.0.1", certificate: Certificate | None = None, **options: Any
) -> Iterator[GitServer]:
    """Serve repositories below `root` until the block ends.

    `address`: where to listen; the cluster's bridge address makes the server reachable from pods.
    `certificate`: serve HTTPS with it.
    """
    git_server = GitServer(root, scheme="https" if certificate else "http", **options)
    with _Server((address, 0), _Handler) as http:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            # The handshake belongs into the connection's thread: one silent client must not stop the others.
            http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        http.git_server = git_server
        git_server._http = http
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield git_server
        finally:
            if git_server.hold is not None:
                git_server.hold.set()
            http.shutdown()
            thread.join(10)


class _Raw(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _RawServer)
        self.wfile.write(server.preamble)
        self.wfile.flush()
        if server.stall:
            server.release.wait(60)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _RawServer(ThreadingHTTPServer):
    daemon_threads = True
    preamble = b""
    stall = False
    release: threading.Event


@contextlib.contextmanager
def serve_raw(preamble: bytes, *, stall: bool = False) -> Iterator[str]:
    """Answer every request with these bytes, then hang up or (`stall`) go silent; yield a repository URL."""
    with _RawServer(("127.0.0.1", 0), _Raw) as http:
        http.preamble, http.stall, http.release = preamble, stall, threading.Event()
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/bots.git"
        finally:
            http.release.set()
            http.shutdown()
            thread.join(10)
