"""One cluster, through kubectl: read, apply, wait, forward a port."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from demo.commands import DemoError, run

Object = dict[str, Any]


@dataclass(frozen=True)
class Kubectl:
    """kubectl against one cluster.

    Args:
        kubeconfig: Path, or several joined by `:` as in KUBECONFIG.
    """

    kubeconfig: str

    def __call__(self, *arguments: str, seconds: float = 60.0, stdin: str = "") -> str:
        """Run kubectl with arguments and return what it printed.

        Raises:
            DemoError: It failed.
        """
        return run(["kubectl", *arguments], seconds=seconds, stdin=stdin, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which kubectl and helm find the cluster."""
        return {**os.environ, "KUBECONFIG": self.kubeconfig}

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        """Return one object, None if it does not exist."""
        text = self("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def items(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """Return the objects of a kind in a namespace (empty: in all), of a label selector where one is given."""
        scope = ["-n", namespace] if namespace else ["--all-namespaces"]
        found = json.loads(self("get", kind, *scope, "--selector", selector, "-o", "json"))
        items: list[Object] = found["items"]
        return items

    def apply(self, manifest: str | Path | Object, *, namespace: str | None = None) -> str:
        """Apply a file, a text or an object server-side, and return kubectl's line for each object."""
        scope = [] if namespace is None else ["-n", namespace]
        common = ["apply", "--server-side", "--field-manager=kubectl", "--force-conflicts"]
        if isinstance(manifest, Path):
            return self(*scope, *common, "-f", str(manifest))
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self(*scope, *common, "-f", "-", stdin=text)

    def ensure_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Create a namespace, or bring its labels to what is given."""
        metadata = {"name": name, "labels": labels or {}}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    @contextmanager
    def forwarded(self, namespace: str, target: str, port: int, *, local_port: int = 0) -> Iterator[str]:
        """Forward a local port to a Service or pod as long as the context is open.

        Args:
            namespace: Where the target is.
            target: For instance `service/botyard-gateway`.
            port: The target's port.
            local_port: 0 takes a free one.

        Yields:
            The base URL, `http://127.0.0.1:<port>`.

        Raises:
            DemoError: The port could not be forwarded within 20 seconds.
        """
        # A file, not a pipe: kubectl writes a line for each connection and would block once nobody reads them.
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                ["kubectl", "-n", namespace, "port-forward", target, f"{local_port or ''}:{port}"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield f"http://127.0.0.1:{_forwarded_port(process, output, target)}"
            finally:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _forwarded_port(process: subprocess.Popen[bytes], output: TextIO, target: str) -> int:
    """Return the port that `kubectl port-forward` says it listens on."""
    said = ""

    def told() -> bool:
        nonlocal said
        output.seek(0)
        said = output.read()
        return "Forwarding from" in said or process.poll() is not None

    until(told, seconds=20, every=0.05)
    if found := re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", said):
        return int(found[1])
    raise DemoError(f"cannot forward a port to {target}: {said.strip() or 'kubectl says nothing'}")


def condition(obj: Object | None, kind: str) -> Object:
    """Return a condition of an object; an empty one if it is absent."""
    conditions: list[Object] = ((obj or {}).get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == kind), {})


def is_current(obj: Object | None) -> bool:
    """Whether an object is Ready and its status speaks of its newest spec."""
    if obj is None or condition(obj, "Ready").get("status") != "True":
        return False
    if condition(obj, "Reconciling").get("status") == "True":
        return False
    return bool(obj["status"].get("observedGeneration") == obj["metadata"]["generation"])


def until(check: Callable[[], bool], *, seconds: float, every: float = 0.5) -> bool:
    """Ask until a check holds; return False when time is up before that."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
