"""Redis as it is deployed for real: a cluster of three primaries; a primary, a replica and a sentinel."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

TIMEOUT = 60.0


class Nodes:
    """Several redis-servers on loopback ports, each with its own folder."""

    def __init__(self, program: str = "redis-server") -> None:
        self._program = program
        self._commands: dict[int, list[str]] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="by-redis-nodes-"))
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.data: list[int] = []
        """Ports of those that are no sentinels, whether they run or not."""

    def start(self, *options: str, sentinel: str = "") -> int:
        """Start one more; return its port."""
        port = _free_port()
        folder = self.folder / str(port)
        folder.mkdir()
        config = folder / "redis.conf"
        config.write_text(sentinel.replace("PORT", str(port)))
        command = [self._program, str(config), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--sentinel"] if sentinel else ["--save", "", "--appendonly", "yes", *options]
        self._commands[port] = command
        if not sentinel:
            self.data.append(port)
        self.restart(port)
        return port

    def restart(self, port: int) -> None:
        """Start one that was killed, with what is in its folder."""
        log = (self.folder / str(port) / "log").open("ab")
        self.processes[port] = subprocess.Popen(self._commands[port], stdout=log, stderr=subprocess.STDOUT)
        until(lambda: bool(client(port).ping()), f"{self._program} on {port}")

    def kill(self, port: int) -> None:
        process = self.processes.pop(port)
        process.kill()
        process.wait()

    def lose(self, port: int) -> None:
        """End one together with its disk."""
        self.kill(port)
        shutil.rmtree(self.folder / str(port))

    def stop(self) -> None:
        for port in list(self.processes):
            self.kill(port)
        shutil.rmtree(self.folder, ignore_errors=True)


def client(port: int) -> "redis.Redis":
    return redis.Redis(port=port, socket_timeout=2)


def until(check: "object", what: str) -> None:
    """Wait until `check()` is true, or fail."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError):
            if check():  # type: ignore[operator]
                return
        time.sleep(0.05)
    pytest.fail(f"{what} did not get there within {TIMEOUT:g} s")


def _free_port() -> int:
    """Return a port that is free, and whose cluster bus port (10,000 above) may be used."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if 20_000 < port < 50_000:
            return port


@contextlib.contextmanager
def redis_cluster() -> Iterator[str]:
    """A cluster of three primaries; yields its URL."""
    with cluster_nodes() as (url, _):
        yield url


@contextlib.contextmanager
def cluster_nodes(*options: str, program: str = "redis-server", replicas: int = 0) -> Iterator[tuple[str, Nodes]]:
    """A cluster of three primaries with so many replicas each; yields its URL and its nodes."""
    nodes = Nodes(program)
    try:
        clustered = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", *options)
        ports = [nodes.start(*clustered) for _ in range(3 * (1 + replicas))]
        places = [f"127.0.0.1:{port}" for port in ports]
        subprocess.run(
            ["redis-cli", "--cluster", "create", *places, "--cluster-yes", "--cluster-replicas", str(replicas)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(
            lambda: all(client(port).execute_command("CLUSTER INFO")["cluster_state"] == "ok" for port in ports),
            "the cluster",
        )
        yield f"redis+cluster://{','.join(places)}", nodes
    finally:
        nodes.stop()


@contextlib.contextmanager
def redis_sentinel(program: str = "redis-server") -> Iterator[tuple[str, Nodes, int]]:
    """A primary with a replica and a sentinel; yields the URL, the nodes and the primary's port."""
    nodes = Nodes(program)
    try:
        primary = nodes.start("--min-replicas-to-write", "0")
        replica = nodes.start("--replicaof", "127.0.0.1", str(primary))
        sentinel = nodes.start(
            sentinel=f"sentinel monitor main 127.0.0.1 {primary} 1\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 4000\n"
        )
        until(lambda: client(replica).info("replication")["master_link_status"] == "up", "the replica")
        until(lambda: client(sentinel).info("sentinel")["master0"]["slaves"] == 1, "the sentinel")
        yield f"redis+sentinel://127.0.0.1:{sentinel}/main", nodes, primary
    finally:
        nodes.stop()
