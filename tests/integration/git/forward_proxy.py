"""A real forward proxy: tinyproxy on a port of its own, with or without a password."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_START_SECONDS = 60.0


@dataclass(frozen=True)
class ForwardProxy:
    """A proxy that runs."""

    url: str
    """With user and password, where it asks for them."""
    log: Path

    def connections(self) -> list[str]:
        """Return what it was asked to do, such as `CONNECT 127.0.0.1:443` or `GET http://…`."""
        lines = [line.partition("Request (file descriptor")[2] for line in self.log.read_text().splitlines()]
        return [line.partition("): ")[2].removesuffix(" HTTP/1.1") for line in lines if line]


@contextlib.contextmanager
def forward_proxy(folder: Path, *, user: str = "", password: str = "") -> Iterator[ForwardProxy]:
    """Run a proxy until the block ends."""
    program = shutil.which("tinyproxy")
    if program is None:
        pytest.fail("tinyproxy is not installed; `make test` installs it", pytrace=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 50", "LogLevel Connect"]
    settings += [f'LogFile "{folder / "proxy.log"}"', *([f"BasicAuth {user} {password}"] if user else [])]
    folder.mkdir(exist_ok=True)
    (folder / "proxy.log").touch()
    (folder / "proxy.conf").write_text("\n".join(settings) + "\n")
    process = subprocess.Popen([program, "-d", "-c", str(folder / "proxy.conf")], stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > give_up:
                pytest.fail("tinyproxy did not start")
            time.sleep(0.02)
        account = f"{user}:{password}@" if user else ""
        yield ForwardProxy(f"http://{account}127.0.0.1:{port}", folder / "proxy.log")
    finally:
        process.kill()
        process.wait()
