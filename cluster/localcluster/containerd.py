"""The cluster's own containerd: configuration, image import, and the removal of what it leaves behind."""

import re
import shutil
import socket
from pathlib import Path

from localcluster.commands import run, succeeds
from localcluster.errors import ClusterError
from localcluster.layout import Layout, write_if_changed
from localcluster.network import cni_folder
from localcluster.processes import PROC, Component, boot_id

SOCKET_LIMIT = 100
"""Characters; the kernel allows 107 in a socket's path."""
IMPORT_SECONDS = 300.0


def containerd_config(layout: Layout, *, pause_image: str, cni: Path) -> str:
    """Return containerd's configuration (version 2, as of containerd 1.6 and 1.7)."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    runc = f"{cri}.containerd.runtimes.runc"
    return f"""version = 2
root = "{layout.state}/containerd/root"
state = "{layout.state}/containerd/state"
oom_score = 0

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.state}/containerd/opt"

[{cri}]
  sandbox_image = "{pause_image}"
  # Without CAP_SYS_RESOURCE a negative score cannot be set, and every sandbox would fail.
  restrict_oom_score_adj = true
  # Network namespaces below the state folder, so that `down` finds all of them.
  netns_mounts_under_state_dir = true
  [{cri}.cni]
    bin_dir = "{cni}"
    conf_dir = "{layout.config}/cni"
  [{cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [{runc}]
      runtime_type = "io.containerd.runc.v2"
      [{runc}.options]
        SystemdCgroup = false
"""


def containerd(layout: Layout, *, pause_image: str) -> Component:
    """Write the configuration and return the component.

    Raises:
        ClusterError: The checkout's path is too long for a socket.
    """
    if len(str(layout.containerd_socket)) > SOCKET_LIMIT:
        raise ClusterError(
            f"The path {layout.containerd_socket} is too long for a socket. "
            "Set BOTYARD_CLUSTER_DIR to a shorter folder and run the command again."
        )
    config = containerd_config(layout, pause_image=pause_image, cni=cni_folder())
    path = layout.config / "containerd.toml"
    write_if_changed(path, config)
    binary = shutil.which("containerd") or "containerd"
    return Component(name="containerd", argv=[binary, "--config", str(path)], inputs=[config])


def forget_other_boots(layout: Layout) -> None:
    """Remove the run-time state of containers that ended with the machine's previous boot."""
    record = layout.run / "boot-id"
    try:
        same = record.read_text() == boot_id()
    except OSError:
        same = False
    if not same:
        unmount_below(layout.state)
        shutil.rmtree(layout.state / "containerd" / "state", ignore_errors=True)
        write_if_changed(record, boot_id())


def answers(layout: Layout) -> bool:
    """Whether containerd accepts connections."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(layout.containerd_socket))
    except OSError:
        return False
    return True


def list_images(layout: Layout) -> set[str]:
    """Return the names of the images that pods can use."""
    return set(run([*_ctr(layout), "images", "ls", "-q"]).split())


def import_archive(layout: Layout, archive: Path) -> None:
    """Load a docker or OCI archive."""
    run([*_ctr(layout), "images", "import", "--no-unpack", archive], seconds=IMPORT_SECONDS)


def list_content(layout: Layout) -> set[str]:
    """Return the digests of everything in the content store: layers, configurations, manifests."""
    return set(run([*_ctr(layout), "content", "ls", "-q"]).split())


def tag_image(layout: Layout, source: str, target: str) -> None:
    """Give an image another name."""
    run([*_ctr(layout), "images", "tag", "--force", source, target])


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder, the innermost first."""
    mounts = []
    for line in (PROC / "self" / "mountinfo").read_text().splitlines():
        point = unescape(line.split()[4])
        if Path(point).is_relative_to(folder) and Path(point) != folder:
            mounts.append(point)
    for point in reversed(mounts):
        if not succeeds(["umount", point]):
            run(["umount", "--lazy", point])


def unescape(path: str) -> str:
    """Return a path of mountinfo as it is: the kernel writes blanks and backslashes as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def remove_log_links(layout: Layout) -> None:
    """Remove the kubelet's links in /var/log/containers that point into the state folder."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.state):
            link.unlink()


def normalise(image: str) -> str:
    """Return the full name of an image: `docker.io/` in front of a name without a registry.

    A name's first part is a registry when it has a dot or a colon, or is `localhost`
    (https://github.com/distribution/reference).
    """
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    if "." in first or ":" in first or first == "localhost":
        return image
    return f"docker.io/{image}"


def _ctr(layout: Layout) -> list[str]:
    return ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io"]
