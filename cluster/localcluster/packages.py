"""The programs that come from the operating system's packages."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster.commands import run
from localcluster.console import step
from localcluster.errors import ClusterError
from localcluster.network import CNI_FOLDERS

INSTALL_SECONDS = 900.0


@dataclass(frozen=True)
class Requirement:
    """A program and the Debian package that brings it.

    Args:
        program: Its command.
        package: Debian package.
        path: File below one of the CNI folders, where it is no command.
    """

    program: str
    package: str
    path: str = ""

    @property
    def present(self) -> bool:
        """Whether it is installed."""
        if self.path:
            return any((folder / self.path).exists() for folder in CNI_FOLDERS)
        return shutil.which(self.program, path=search_path()) is not None


CLUSTER = (
    Requirement("containerd", "containerd"),
    Requirement("ctr", "containerd"),
    Requirement("runc", "runc"),
    Requirement("the CNI plugins", "containernetworking-plugins", path="bridge"),
    Requirement("conntrack", "conntrack"),
    Requirement("nft", "nftables"),
    Requirement("iptables", "iptables"),
    Requirement("ip", "iproute2"),
    Requirement("openssl", "openssl"),
    Requirement("umount", "mount"),
)
IMAGES = (
    Requirement("buildah", "buildah"),
    Requirement("debootstrap", "debootstrap"),
)
TESTS = (
    Requirement("git", "git"),
    Requirement("redis-server", "redis-server"),
    Requirement("ssh-keygen", "openssh-client"),
    Requirement("lighttpd", "lighttpd"),
)


def search_path() -> str:
    """Return PATH with the system folders that an ordinary user's lacks."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def ensure_packages(requirements: Sequence[Requirement]) -> None:
    """Install what is missing, on Debian as root; elsewhere say exactly what is.

    Raises:
        ClusterError: Something is missing and cannot be installed here.
    """
    missing = [requirement for requirement in requirements if not requirement.present]
    if not missing:
        return
    packages = sorted({requirement.package for requirement in missing})
    names = ", ".join(requirement.program for requirement in missing)
    if not (is_debian(Path("/etc/os-release")) and os.geteuid() == 0):
        raise ClusterError(
            f"Missing: {names}. On Debian or Ubuntu install them with\n"
            f"  sudo apt-get install {' '.join(packages)}\n"
            "then run the command again."
        )
    with step(f"Debian packages {' '.join(packages)}"):
        install(packages)
    still = [requirement.program for requirement in missing if not requirement.present]
    if still:
        raise ClusterError(f"The packages {' '.join(packages)} are installed, and {', '.join(still)} is still missing.")


def install(packages: Sequence[str]) -> None:
    """Install Debian packages; the package lists are refreshed first."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], seconds=INSTALL_SECONDS, env=environment)
    command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
    run(command, seconds=INSTALL_SECONDS, env=environment)


def is_debian(os_release: Path) -> bool:
    """Whether the system calls itself Debian or like Debian.

    Args:
        os_release: The system's os-release file (https://www.freedesktop.org/software/systemd/man/os-release.html).
    """
    try:
        lines = os_release.read_text().splitlines()
    except OSError:
        return False
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    names = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', "").split()
    return "debian" in names and shutil.which("apt-get") is not None
