"""Botyard on a cluster by its two charts; nothing is touched where what runs is what the checkout says."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.commands import DemoError, run
from demo.kubectl import Kubectl

ROOT = Path(__file__).resolve().parents[1]
CHARTS = ROOT / "charts"
OPERATOR_SELECTOR = "app.kubernetes.io/name=botyard,app.kubernetes.io/component=operator"


@dataclass(frozen=True)
class Release:
    """One chart, installed.

    Args:
        name: Of the release.
        chart: Folder below charts/.
        values: What differs from the chart's values.yaml.
        workloads: What must be rolled out for the release to count as up, such as `deployment/botyard-operator`.
    """

    name: str
    chart: str
    values: Mapping[str, Any]
    workloads: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Digest of the chart and the values, which the release carries as its description."""
        total = hashlib.sha256(json.dumps(self.values, sort_keys=True).encode())
        for path in sorted((CHARTS / self.chart).rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                total.update(f"{path.relative_to(CHARTS)} {len(content)}\n".encode() + content)
        return total.hexdigest()[:16]


def botyard(images: Mapping[str, Any], **values: Any) -> Release:
    """Return the release of operator, gateway and Redis with the images that were built."""
    chosen = {
        name: {key: images[name][key] for key in ("repository", "tag")} for name in ("operator", "runtime", "redis")
    }
    workloads = ("deployment/botyard-operator", "deployment/botyard-gateway", "deployment/botyard-redis")
    return Release("botyard", "botyard", {"images": chosen, **values}, workloads)


def crds() -> Release:
    """Return the release of the three kinds."""
    return Release("botyard-crds", "botyard-crds", {})


def install(kubectl: Kubectl, helm: str, release: Release, namespace: str, *, seconds: float = 180.0) -> bool:
    """Install or upgrade a release and wait until it is up; return whether anything had to be done.

    Raises:
        DemoError: Helm failed or a workload did not come up.
    """
    if _is_deployed(kubectl, helm, release, namespace):
        return False
    run(
        [
            *(helm, "upgrade", "--install", release.name, str(CHARTS / release.chart), "--namespace", namespace),
            *("--create-namespace", "--description", release.digest, "--history-max", "3", "--values", "-"),
        ],
        env=kubectl.environment,
        stdin=yaml.safe_dump(dict(release.values)),
        seconds=seconds,
    )
    for workload in release.workloads:
        wait = f"--timeout={seconds:.0f}s"
        kubectl("-n", namespace, "rollout", "status", workload, wait, seconds=seconds + 10)
    return True


def uninstall(kubectl: Kubectl, helm: str, name: str, namespace: str) -> None:
    """Remove a release if it is there."""
    command = [helm, "uninstall", name, "--namespace", namespace, "--ignore-not-found", "--wait", "--timeout=120s"]
    run(command, env=kubectl.environment, seconds=150)


def _is_deployed(kubectl: Kubectl, helm: str, release: Release, namespace: str) -> bool:
    try:
        status = run(
            [helm, "status", release.name, "--namespace", namespace, "-o", "json"], env=kubectl.environment, seconds=60
        )
        info = json.loads(status)["info"]
        if (info["status"], info["description"]) != ("deployed", release.digest):
            return False
        # Somebody may have scaled a workload down or deleted it since; an upgrade brings it back.
        for workload in release.workloads:
            kind, _, name = workload.partition("/")
            found = kubectl.get(kind, name, namespace)
            if found is None or not found["status"].get("readyReplicas"):
                return False
    except DemoError:
        return False
    return True
