"""The operator as a process of its own, against the test API server."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.integration.apiserver.processes import free_ports
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.waiting import eventually

SYSTEM_NAMESPACE = "botyard-system"
REDIS_URL = "redis://:s3cret@redis.botyard-system:6379/0"


class OperatorProcess:
    """`botyard-operator run` with its own Lease holder identity."""

    def __init__(
        self,
        server: ApiServer,
        folder: Path,
        *,
        namespaces: Sequence[str] = (),
        kubeconfig: Path | None = None,
        redis_url: str = REDIS_URL,
        lease_seconds: int = 60,
        watch_seconds: int = 100,
    ) -> None:
        """Start it; a busy machine must not cost it the Lease, so that is long where no test takes it over."""
        folder.mkdir(parents=True, exist_ok=True)
        self.identity = f"operator-{secrets.token_hex(3)}"
        self.log = folder / f"{self.identity}.log"
        self.metrics_port, self.artifacts_port = free_ports(2)
        key = folder / "artifact-key"
        key.write_bytes(b"k" * 32)
        redis_url_file = folder / "redis-url"
        redis_url_file.write_text(redis_url)
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or server.kubeconfig),
            "POD_NAME": self.identity,
            "BOTYARD_SYSTEM_NAMESPACE": SYSTEM_NAMESPACE,
            "BOTYARD_METRICS_PORT": str(self.metrics_port),
            "BOTYARD_ARTIFACTS_PORT": str(self.artifacts_port),
            "BOTYARD_ARTIFACT_BASE_URL": f"http://127.0.0.1:{self.artifacts_port}",
            "BOTYARD_ARTIFACT_DIR": str(folder / "artifacts"),
            "BOTYARD_ARTIFACT_KEY_FILE": str(key),
            "BOTYARD_REDIS_URL_FILE": str(redis_url_file),
            "BOTYARD_LEASE_SECONDS": str(lease_seconds),
            "BOTYARD_WATCH_SECONDS": str(watch_seconds),
            "BOTYARD_RUNTIME_IMAGE": "registry.example.com/botyard/runtime:1",
        }
        self._command = [sys.executable, "-m", "botyard_operator.main", "run"]
        for namespace in namespaces:
            self._command += ["--namespace", namespace]
        self._start()

    def _start(self) -> None:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def restart(self) -> None:
        """Stop the process as the kubelet does and start it again."""
        self.stop()
        self._start()

    def await_leading(self) -> None:
        """Wait until this process leads and its caches are complete."""
        self.await_log("caches complete", seconds=180)

    def await_log(self, text: str, *, seconds: float = 120) -> None:
        """Wait until the process has logged `text`."""
        eventually(lambda: self._says(text), f"{self.identity} says {text!r}", seconds=seconds)

    def alive(self) -> bool:
        return self._process.poll() is None

    def probe(self, path: str) -> tuple[int, str]:
        answer = httpx.get(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=60, trust_env=False)
        return answer.status_code, answer.text

    @property
    def pid(self) -> int:
        return self._process.pid

    def rss_bytes(self) -> int:
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def await_end(self, seconds: float = 120) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        if self.alive():
            self._process.kill()
            self._process.wait(60)

    def stop(self) -> int:
        """Ask the process to end as the kubelet does; return its exit code."""
        if self.alive():
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return int(self._process.returncode)

    def _says(self, text: str) -> bool:
        if not self.alive():
            raise AssertionError(f"the operator ended: {self.log.read_text()[-4000:]}")
        return text in self.log.read_text()
