"""Building images on this machine without a daemon and without an image registry: debootstrap and buildah."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from localcluster.commands import run, stream, succeeds
from localcluster.console import step
from localcluster.errors import ClusterError
from localcluster.images.host import debian_mirror, write_build_mounts
from localcluster.layout import Layout, digest

SUITE = "bookworm"
BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian")
EMPTIED = ("var/cache", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man")
"""Folders whose content is of no use in an image, and which programs expect to exist."""
BOOTSTRAP_SECONDS = 1800.0
BUILD_SECONDS = 1800.0
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


class Buildah:
    """Builds the targets of the project's Dockerfile into image archives.

    Args:
        layout: Folders; layers are kept in the cache, so that only what changed is built again.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._storage = [
            f"--root={layout.cache}/buildah/root",
            f"--runroot={layout.cache}/buildah/run",
            "--storage-driver=overlay",
        ]
        self._folder = layout.cache / "base"
        version = digest(SUITE, *BASE_PACKAGES, *UNNEEDED, *EMPTIED)
        self._base = f"localhost/botyard/base:{version}"

    def ensure_base(self) -> None:
        """Build the base image where the cache has none.

        Raises:
            ClusterError: debootstrap fails.
        """
        if succeeds([*self._buildah("inspect"), "--type=image", self._base]) and self._sources_list.is_file():
            return
        rootfs = self._folder / "rootfs"
        shutil.rmtree(rootfs, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._layout.logs / "debootstrap.log"
        mirror = debian_mirror()
        include = f"--include={','.join(BASE_PACKAGES)}"
        with step("base image by debootstrap") as progress:
            stream(
                ["debootstrap", "--variant=minbase", include, SUITE, rootfs, *([mirror] if mirror else [])],
                log=log,
                on_line=progress.update,
                seconds=BOOTSTRAP_SECONDS,
                failed="debootstrap failed; it needs the Debian mirror. Run the command again.",
            )
            trim(rootfs, self._sources_list)
            container = run([*self._buildah("from"), "scratch"]).strip()
            run([*self._buildah("add"), "--quiet", container, rootfs, "/"], seconds=300)
            run([*self._buildah("config"), "--cmd=/bin/bash", container])
            run([*self._buildah("commit"), "--quiet", "--rm", container, self._base], seconds=300)
            shutil.rmtree(rootfs)

    def build(self, target: str, name: str, archive: Path) -> None:
        """Build one target and write it as a docker archive.

        Args:
            target: Target of the Dockerfile.
            name: Full name of the image, with tag.
            archive: File to write.

        Raises:
            ClusterError: A step fails; with the end of the build's log.
        """
        log = self._layout.logs / f"image-{target}.log"
        log.unlink(missing_ok=True)
        mounts = write_build_mounts(self._folder, self._sources_list.read_text())
        bases = [f"--build-arg={argument}={self._base}" for argument in ("BASE_IMAGE", "DEBIAN_IMAGE")]
        project = self._layout.project
        with step(f"image {name}") as progress:
            stream(
                [
                    *self._buildah("bud"),
                    "--isolation=chroot",
                    "--layers",
                    "--pull-never",
                    f"--signature-policy={self._policy()}",
                    *bases,
                    *mounts,
                    f"--target={target}",
                    f"--tag={name}",
                    f"--file={project}/Dockerfile",
                    project,
                ],
                log=log,
                on_line=progress.update,
                seconds=BUILD_SECONDS,
                failed=f"The image {target} cannot be built. Correct what the log names and run the command again.",
                env=build_environment(os.environ),
            )
            progress.update("writing the archive")
            archive.parent.mkdir(parents=True, exist_ok=True)
            archive.unlink(missing_ok=True)
            policy = f"--signature-policy={self._policy()}"
            run([*self._buildah("push"), "--quiet", policy, name, f"docker-archive:{archive}:{name}"], seconds=300)

    @property
    def _sources_list(self) -> Path:
        return self._folder / "mirror.list"

    def _buildah(self, command: str) -> list[str]:
        return ["buildah", *self._storage, command]

    def _policy(self) -> Path:
        path = self._folder / "policy.json"
        if not path.is_file():
            path.write_text(POLICY)
        return path


def trim(rootfs: Path, sources_list: Path) -> None:
    """Take out of a root filesystem what images do not need.

    The mirror's address is moved out too: it belongs to this machine, and builds get it mounted.
    """
    for name in UNNEEDED:
        shutil.rmtree(rootfs / name, ignore_errors=True)
    for name in EMPTIED:
        shutil.rmtree(rootfs / name, ignore_errors=True)
        (rootfs / name).mkdir(parents=True)
    for name in ("etc/apt/apt.conf.d/99build", "etc/pip.conf", "run/build-ca.crt"):
        (rootfs / name).touch()
    source = rootfs / "etc/apt/sources.list"
    text = source.read_text()
    if "deb " not in text:
        raise ClusterError(f"debootstrap left no mirror in {source}.")
    source.write_text("")
    sources_list.write_text(text)


def build_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return buildah's environment: this one's without locations that mean nothing inside of a build."""
    return {name: value for name, value in environment.items() if not name.startswith(("PIP_", "BUILDAH_"))}
