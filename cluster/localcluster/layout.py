"""Where everything of the local cluster lives: folders, addresses and ports, all decided in one place."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "botyard"
BRIDGE = "botyard0"
"""Linux bridge that joins the pods; created before the API server because that listens on its address."""
POD_CIDR = "10.244.0.0/22"
NODE_IP = "10.244.0.1"
"""Address of the bridge: the node, the API server and every pod's gateway."""
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
MAX_PODS = 400
"""Below the addresses of POD_CIDR; the benchmark's thousands of pods are fake ones on other nodes."""
KUBERNETES_VERSION = "v1.34.4"


@dataclass(frozen=True)
class Ports:
    """TCP ports of the host processes, away from the defaults so that another cluster may run beside this one."""

    etcd: int = 23790
    etcd_peer: int = 23800
    apiserver: int = 16443
    controller_manager: int = 16257
    scheduler: int = 16259
    kubelet: int = 16250
    kubelet_healthz: int = 16248
    proxy_healthz: int = 16256
    proxy_metrics: int = 16249


@dataclass(frozen=True)
class Layout:
    """Folders of one checkout's cluster.

    Args:
        project: Root of the checkout.
        state: Everything that a running cluster owns; `down` removes it.
        cache: Built binaries, the base image and image layers, shared by checkouts; `clean` removes it.
    """

    project: Path
    state: Path
    cache: Path
    ports: Ports = Ports()

    @classmethod
    def discover(cls) -> "Layout":
        """Return the layout of the checkout that this package lies in.

        `BOTYARD_CLUSTER_DIR` and `BOTYARD_CLUSTER_CACHE` move the state and the cache.
        """
        project = Path(__file__).resolve().parents[2]
        cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        state = Path(os.environ.get("BOTYARD_CLUSTER_DIR") or project / ".cluster")
        cache = Path(os.environ.get("BOTYARD_CLUSTER_CACHE") or cache_home / "botyard")
        return cls(project=project, state=state.absolute(), cache=cache.absolute())

    @property
    def sources(self) -> Path:
        """Folder of the Go module and of what goes into images beside the project's own packages."""
        return self.project / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the cluster's administrator."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the components."""
        return self.state / "config"

    @property
    def logs(self) -> Path:
        """One log for each component."""
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """Process records."""
        return self.state / "run"

    @property
    def bin(self) -> Path:
        """Link to the binaries in the cache."""
        return self.state / "bin"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON object a line for every write."""
        return self.state / "audit.log"

    @property
    def images_file(self) -> Path:
        """What `images` loaded last: `{"operator": {"repository": …, "tag": …}, …}`."""
        return self.state / "images.json"

    @property
    def containerd_socket(self) -> Path:
        """Socket of the cluster's own containerd."""
        return self.state / "containerd.sock"

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{NODE_IP}:{self.ports.apiserver}"

    @property
    def marker(self) -> str:
        """Environment entry that every process of this cluster carries, by which strays are recognised."""
        return f"BOTYARD_CLUSTER_STATE={self.state}"


def digest(*parts: bytes | str) -> str:
    """Return the first 16 hex digits of the SHA-256 over length-prefixed parts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big"))
        total.update(data)
    return total.hexdigest()[:16]


def write_if_changed(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file whole or not at all; return whether its content changed."""
    try:
        if path.read_text() == text:
            return False
    except OSError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.chmod(mode)
    partial.replace(path)
    return True
