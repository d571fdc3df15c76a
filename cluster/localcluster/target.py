"""Which cluster the commands work on: the one of KUBECONFIG, or the local one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from localcluster.commands import run
from localcluster.errors import ClusterError
from localcluster.layout import Layout

Kind = Literal["local", "kind", "k3d", "minikube", "docker-desktop", "other"]


@dataclass(frozen=True)
class Target:
    """A cluster in use.

    Args:
        kind: What runs it, which decides how images get in.
        context: Name of the kubeconfig's current context; empty for the local cluster.
        layout: Folders; for another checkout's local cluster its state folder.
    """

    kind: Kind
    context: str
    layout: Layout

    @property
    def cluster_name(self) -> str:
        """Name by which kind, k3d or minikube knows the cluster."""
        return self.context.removeprefix("kind-").removeprefix("k3d-")


def find_target(layout: Layout, environment: Mapping[str, str] = os.environ) -> Target:
    """Return the cluster that KUBECONFIG names; the local one where it is unset.

    A user's ~/.kube/config is not consulted on purpose: nobody should test on production by forgetting a variable.

    Raises:
        ClusterError: KUBECONFIG is set and cannot be read.
    """
    value = environment.get("KUBECONFIG", "")
    paths = [Path(part).absolute() for part in value.split(os.pathsep) if part]
    if not paths or paths == [layout.kubeconfig]:
        return Target("local", "", layout)
    if len(paths) == 1 and (paths[0].parent / "containerd.sock").exists():
        return Target("local", "", replace(layout, state=paths[0].parent))
    if not any(path.is_file() for path in paths):
        raise ClusterError(f"KUBECONFIG={value} does not exist. Correct it, or unset it to have a local cluster built.")
    context = run(["kubectl", "config", "current-context"], env=environment).strip()
    return Target(classify(context), context, layout)


def classify(context: str) -> Kind:
    """Return what runs a cluster, by the name that its tool gives to contexts."""
    if context.startswith("kind-"):
        return "kind"
    if context.startswith("k3d-"):
        return "k3d"
    if context in ("minikube", "docker-desktop"):
        return "minikube" if context == "minikube" else "docker-desktop"
    return "other"


def check_reachable(target: Target, environment: Mapping[str, str] = os.environ) -> str:
    """Return the version of the cluster that KUBECONFIG names.

    Raises:
        ClusterError: It does not answer.
    """
    try:
        run(["kubectl", "--request-timeout=5s", "get", "--raw", "/readyz"], env=environment, seconds=20)
        return run(["kubectl", "--request-timeout=5s", "version"], env=environment, seconds=20).splitlines()[-1]
    except ClusterError as error:
        raise ClusterError(
            f"KUBECONFIG={environment.get('KUBECONFIG', '')} names the context {target.context!r}, whose cluster does "
            f"not answer. Start it, or unset KUBECONFIG to have a local cluster built.\n{error}"
        ) from error
