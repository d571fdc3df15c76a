"""The command `images`: build what changed and load it into the cluster in use."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster import containerd
from localcluster.commands import stream
from localcluster.console import say, step
from localcluster.errors import ClusterError
from localcluster.images.buildah import Buildah
from localcluster.images.catalogue import IMAGES, REPOSITORY
from localcluster.images.thin import write_thin_archive
from localcluster.layout import Layout, write_if_changed
from localcluster.lifecycle import check_system
from localcluster.locking import locked
from localcluster.packages import IMAGES as IMAGE_PACKAGES
from localcluster.packages import ensure_packages, search_path
from localcluster.target import Target, check_reachable

DOCKER_SECONDS = 1800.0
LOADERS: Mapping[str, list[str]] = {
    "kind": ["kind", "load", "docker-image", "{image}", "--name", "{cluster}"],
    "k3d": ["k3d", "image", "import", "{image}", "--cluster", "{cluster}"],
    "minikube": ["minikube", "image", "load", "{image}", "--profile", "{cluster}"],
    "docker-desktop": [],
}
"""How an image of the local Docker gets into a cluster; Docker Desktop's Kubernetes sees them as they are."""


def build_images(target: Target, *, tag: str = "", only: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
    """Build and load the images; those that the cluster has already are left alone.

    Args:
        target: The cluster in use.
        tag: One tag for all images; empty: for each the digest of its content, so that a Helm upgrade rolls only the
            pods whose image changed.
        only: Names of the images to build; empty: all.

    Returns:
        For each image its repository and tag, as Helm values want them; also written to `.cluster/images.json`.

    Raises:
        ClusterError: The cluster does not answer, or a build or load fails.
    """
    chosen = [image for image in IMAGES if not only or image.name in only]
    prefix = os.environ.get("IMAGE_REPOSITORY", "").rstrip("/")
    folder = target.layout.state if target.kind == "local" else target.layout.project / ".cluster"
    if target.kind == "local":
        check_system()
        os.environ["PATH"] = search_path()
    else:
        check_reachable(target)
    # One build at a time, and versions read while nobody else builds: sources may change while this run waits.
    with locked(target.layout.cache / "images.lock"):
        versions = {image.name: image.version(target.layout.project) for image in chosen}
        names = {
            image.name: Name(f"{prefix or REPOSITORY}/{image.name}", tag or versions[image.name]) for image in chosen
        }
        if target.kind == "local":
            _load_local(target.layout, versions, names)
        else:
            _load_elsewhere(target, names, push=bool(prefix))
        result = {name: {"repository": full.repository, "tag": full.tag} for name, full in names.items()}
        record = folder / "images.json"
        write_if_changed(record, json.dumps({**_known(record), **result}, indent=2) + "\n")
    say(f"images loaded: {', '.join(map(str, names.values()))}")
    return result


@dataclass(frozen=True)
class Name:
    """An image's name as Helm values want it."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


def _load_local(layout: Layout, versions: Mapping[str, str], names: Mapping[str, Name]) -> None:
    if not containerd.answers(layout):
        raise ClusterError("The local cluster does not run: start it with `make cluster`.")
    loaded = containerd.list_images(layout)
    builder = Buildah(layout)
    for target, name in names.items():
        # Whatever the tag, content is loaded once, under a name that tells its version.
        version = f"localhost/{REPOSITORY}/{target}:{versions[target]}"
        full = containerd.normalise(str(name))
        if version in loaded:
            if name.tag != versions[target] or full not in loaded:
                containerd.tag_image(layout, version, full)
            continue
        ensure_packages(IMAGE_PACKAGES)
        builder.ensure_base()
        archive = layout.cache / "archives" / f"{target}.tar"
        thin = archive.with_name(f"{target}-thin.tar")
        builder.build(target, version, archive)
        with step(f"{name} loaded"):
            write_thin_archive(archive, thin, names=[version, full], present=containerd.list_content(layout))
            containerd.import_archive(layout, thin)
        archive.unlink()
        thin.unlink()


def _load_elsewhere(target: Target, names: Mapping[str, Name], *, push: bool) -> None:
    loader = LOADERS.get(target.kind)
    if loader is None and not push:
        raise ClusterError(
            f"How images get into the cluster of the context {target.context!r} is not known. Build and push them to a "
            "registry that it can pull from:\n  IMAGE_REPOSITORY=registry.example.com/team make images"
        )
    for image, full in names.items():
        name = str(full)
        log = target.layout.logs / f"image-{image}.log"
        with step(f"image {name}") as progress:
            commands = [["docker", "build", "--target", image, "--tag", name, str(target.layout.project)]]
            if push:
                commands.append(["docker", "push", name])
            elif loader:
                commands.append([part.format(image=name, cluster=target.cluster_name) for part in loader])
            for command in commands:
                stream(
                    command,
                    log=log,
                    on_line=progress.update,
                    seconds=DOCKER_SECONDS,
                    failed=f"`{' '.join(command)}` failed. Correct what the log names and run the command again.",
                )


def _known(path: Path) -> dict[str, dict[str, str]]:
    try:
        known: dict[str, dict[str, str]] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known
