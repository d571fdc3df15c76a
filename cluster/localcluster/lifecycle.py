"""Bringing the local cluster up and taking it down."""

import os
import platform
import shutil
import sys
from pathlib import Path

from localcluster import cgroups, containerd, controlplane, dns, network, node
from localcluster.api import Api
from localcluster.binaries import binaries_folder, ensure_binaries
from localcluster.certificates import ensure_certificates
from localcluster.console import say, step
from localcluster.errors import ClusterError
from localcluster.kubeconfig import write_admin_kubeconfig, write_component_kubeconfigs
from localcluster.layout import NODE_NAME, Layout
from localcluster.locking import locked
from localcluster.packages import CLUSTER, ensure_packages, search_path
from localcluster.processes import Supervisor, kill
from localcluster.scratch import ARCHITECTURES, write_scratch_image

COMPONENTS = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
READY_SECONDS = 90.0


def up(layout: Layout) -> None:
    """Bring the cluster to its desired state from whatever state it is in; what runs as wanted is left alone.

    Raises:
        ClusterError: Something is missing, in use or does not start; the message says what to do.
    """
    check_system()
    os.environ["PATH"] = search_path()
    with locked(layout.state / "lock"):
        _up(layout)


def check_system() -> None:
    """Make sure that this machine can run the cluster at all.

    Raises:
        ClusterError: It cannot.
    """
    other = "Point KUBECONFIG to a cluster (kind, k3d, minikube, …) instead."
    if sys.platform != "linux":
        raise ClusterError(f"The local cluster runs on Linux only, not on {sys.platform}. {other}")
    if platform.machine() not in ARCHITECTURES:
        raise ClusterError(f"The local cluster is not tried on {platform.machine()}. {other}")
    if os.geteuid() != 0:
        raise ClusterError(f"The local cluster needs root (containers, network): use sudo. {other}")


def _up(layout: Layout) -> None:
    ensure_packages(CLUSTER)
    supervisor = Supervisor(layout)
    if not layout.pki.is_dir():
        _remove_remains(layout, supervisor)
    ensure_binaries(layout)
    ensure_certificates(layout)
    write_component_kubeconfigs(layout)
    containerd.forget_other_boots(layout)
    network.ensure_network(layout)
    cgroups.ensure_group(layout)
    upstream = node.write_resolv_conf(layout)
    pause_image, dns_image = system_images(layout)
    api = Api(layout)
    changed = _start_components(layout, supervisor, api, pause_image)
    _load_system_images(layout, [pause_image, dns_image])
    dns.apply_dns(api, dns_image, upstream)
    if not (api.node_is_ready(NODE_NAME) and api.deployment_is_available(dns.NAMESPACE, dns.NAME)):
        changed = True
        with step("node and DNS ready"):
            supervisor.wait(
                "kubelet", lambda: api.node_is_ready(NODE_NAME), seconds=READY_SECONDS, what="the node is not Ready"
            )
            supervisor.wait(
                "kubelet",
                lambda: api.deployment_is_available(dns.NAMESPACE, dns.NAME),
                seconds=READY_SECONDS,
                what="CoreDNS is not available (kubectl -n kube-system describe pods tells why)",
            )
    write_admin_kubeconfig(layout)
    say(f"The local cluster {'is ready' if changed else 'was ready already'}: export KUBECONFIG={layout.kubeconfig}")


def _start_components(layout: Layout, supervisor: Supervisor, api: Api, pause_image: str) -> bool:
    """Start what does not run as wanted, in order of dependence; return whether anything was."""
    first = [controlplane.etcd(layout), containerd.containerd(layout, pause_image=pause_image)]
    server = controlplane.apiserver(layout)
    rest = [controlplane.controller_manager(layout), controlplane.scheduler(layout)]
    rest += [node.kubelet(layout), node.proxy(layout)]
    started = [component.name for component in first if supervisor.ensure(component)]
    started += [server.name] if supervisor.ensure(server) else []
    if not api.is_ready():
        with step("etcd and API server ready"):
            supervisor.wait(server.name, api.is_ready, seconds=READY_SECONDS, what="the API server is not ready")
    supervisor.wait(
        "containerd", lambda: containerd.answers(layout), seconds=READY_SECONDS, what="containerd does not answer"
    )
    started += [component.name for component in rest if supervisor.ensure(component)]
    if started:
        say(f"✓ started {', '.join(started)}")
    return bool(started)


def system_images(layout: Layout) -> tuple[str, str]:
    """Return the names of the images of pause and CoreDNS; the tag names the binaries that they hold."""
    version = binaries_folder(layout).name
    return f"localhost/botyard/pause:{version}", f"localhost/botyard/coredns:{version}"


def _load_system_images(layout: Layout, images: list[str]) -> None:
    present = containerd.list_images(layout)
    for image in images:
        if image in present:
            continue
        binary = image.rpartition("/")[2].partition(":")[0]
        archive = layout.cache / "images" / f"{binary}-{binaries_folder(layout).name}.tar"
        if not archive.is_file():
            write_scratch_image(archive, name=image, binary=layout.bin / binary)
        containerd.import_archive(layout, archive)


def down(layout: Layout) -> None:
    """Remove the cluster: its processes, containers, mounts, network and state folder; the cache stays."""
    check_system()
    os.environ["PATH"] = search_path()
    supervisor = Supervisor(layout)
    if not layout.state.exists() and not supervisor.strays():
        say("There is no local cluster.")
        return
    with locked(layout.state / "lock"), step("local cluster removed"):
        _remove_remains(layout, supervisor)
        shutil.rmtree(layout.state)


def _remove_remains(layout: Layout, supervisor: Supervisor) -> None:
    """Remove whatever an earlier cluster of this folder left outside of the folder."""
    # The kubelet first: it would start again what is ended below.
    supervisor.kill("kubelet")
    for name in COMPONENTS:
        supervisor.kill(name)
    kill(supervisor.strays())
    cgroups.remove_group(layout)
    containerd.unmount_below(layout.state)
    containerd.remove_log_links(layout)
    network.remove_network()
    for name in ("etcd", "containerd", "kubelet", "cni", "run", "pod-logs"):
        shutil.rmtree(layout.state / name, ignore_errors=True)


def status(layout: Layout) -> bool:
    """Print what runs; return whether the cluster is usable."""
    supervisor = Supervisor(layout)
    if not layout.pki.is_dir():
        print("no local cluster")
        return False
    for name in COMPONENTS:
        identity = supervisor.running(name)
        print(f"{name:<26}{'stopped' if identity is None else f'running (pid {identity.pid})'}")
    api = Api(layout)
    ready = api.is_ready() and api.node_is_ready(NODE_NAME)
    print(f"{'node ' + NODE_NAME:<26}{'Ready' if ready else 'not Ready'}")
    print(f"{'kubeconfig':<26}{layout.kubeconfig}")
    return ready and all(supervisor.running(name) for name in COMPONENTS)


def clean(layout: Layout) -> None:
    """Remove the cluster and the cache: binaries, base image and image layers."""
    down(layout)
    containerd.unmount_below(layout.cache)
    if layout.cache.is_dir():
        with step(f"cache {layout.cache} removed"):
            _remove_cache(layout.cache)


def _remove_cache(cache: Path) -> None:
    # By name: whoever points the cache to a folder of his own keeps what else lies there.
    for name in ("bin", "images", "base", "buildah", "archives"):
        shutil.rmtree(cache / name, ignore_errors=True)
    (cache / "images.lock").unlink(missing_ok=True)
    if not any(cache.iterdir()):
        cache.rmdir()
