"""A real SSH server for tests that serves repositories as a forge does: `git-upload-pack`, for the keys it knows.

Run as a program it prints its port and serves until its standard input ends: a process of its own, because the code
under test blocks threads and loops of the test's process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh


def make_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> str:
    """Make a key pair with ssh-keygen and return the private key."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "nora@example.com", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path.read_text()


def public_key(path: Path) -> str:
    """Return the public half of a key that `make_key` made."""
    return path.with_suffix(".pub").read_text()


@dataclass(frozen=True)
class SshServer:
    """Serves the repositories below a folder to whoever has a key of `authorized`, read at each connection."""

    port: int
    address: str
    host_key: Path
    authorized: Path

    def url(self, name: str, *, user: str = "git") -> str:
        return f"ssh://{user}@{self.address}:{self.port}/{name}"

    @property
    def known_hosts(self) -> str:
        return f"[{self.address}]:{self.port} {public_key(self.host_key)}"

    def authorize(self, *keys: Path) -> None:
        self.authorized.write_text("".join(public_key(key) for key in keys))


@contextlib.contextmanager
def serve_ssh(root: Path, folder: Path, *, address: str = "127.0.0.1") -> Iterator[SshServer]:
    """Serve repositories below `root` until the block ends; `folder` takes the host's key."""
    host_key, authorized = folder / "host", folder / "authorized_keys"
    if not host_key.exists():
        make_key(host_key)
    authorized.touch()
    options = {"root": str(root), "host_key": str(host_key), "authorized": str(authorized), "address": address}
    repository = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.git.ssh", json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=repository,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield SshServer(int(process.stdout.readline()), address, host_key, authorized)
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class _Server(asyncssh.SSHServer):
    def __init__(self, authorized: Path) -> None:
        self._authorized = authorized

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = {line.split()[1] for line in self._authorized.read_text().splitlines() if line.strip()}
        return key.export_public_key().decode().split()[1] in known


async def _serve(root: Path, host_key: str, authorized: Path, address: str) -> None:
    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        words = shlex.split(process.command or "")
        path = root / words[1].lstrip("/") if len(words) == 2 else root
        if words[:1] != ["git-upload-pack"] or not path.is_dir():
            process.stderr.write(b"ERROR: Repository not found.\n")
            process.exit(1)
            return
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        if version := process.env.get("GIT_PROTOCOL"):
            env["GIT_PROTOCOL"] = version
        git = await asyncio.create_subprocess_exec(
            "git",
            "upload-pack",
            str(path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        await process.redirect(stdin=git.stdin, stdout=git.stdout, stderr=git.stderr)
        process.exit(await git.wait())

    server = await asyncssh.create_server(
        lambda: _Server(authorized),
        address,
        0,
        server_host_keys=[host_key],
        process_factory=handle,
        encoding=None,
        login_timeout=120,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(_serve(Path(given["root"]), given["host_key"], Path(given["authorized"]), given["address"]))
