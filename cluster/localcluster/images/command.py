"""The command `images`: build what changed and load it into the cluster in use."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from localcluster import containerd
from localcluster.commands import stream
from localcluster.console import say, step
from localcluster.errors import ClusterError
from localcluster.images.buildah import Buildah
from localcluster.images.catalogue import IMAGES, REPOSITORY, Image
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
    project = target.layout.project
    prefix = os.environ.get("IMAGE_REPOSITORY", "").rstrip("/")
    names = {
        image.name: {"repository": f"{prefix or REPOSITORY}/{image.name}", "tag": tag or image.version(project)}
        for image in IMAGES
        if not only or image.name in only
    }
    wanted = [
        (image, f"{names[image.name]['repository']}:{names[image.name]['tag']}")
        for image in IMAGES
        if image.name in names
    ]
    if target.kind == "local":
        _load_local(target.layout, wanted)
    else:
        check_reachable(target)
        _load_elsewhere(target, wanted, push=bool(prefix))
    state = target.layout.state
    write_if_changed(state / "images.json", json.dumps({**_known(state / "images.json"), **names}, indent=2) + "\n")
    return names


def _load_local(layout: Layout, wanted: list[tuple[Image, str]]) -> None:
    check_system()
    os.environ["PATH"] = search_path()
    if not containerd.answers(layout):
        raise ClusterError("The local cluster does not run: start it with `make cluster`.")
    with locked(layout.cache / "images.lock"):
        loaded = containerd.list_images(layout)
        versions = {
            image.name: f"localhost/botyard/{image.name}:{image.version(layout.project)}" for image, _ in wanted
        }
        builder = Buildah(layout)
        for image, name in wanted:
            # Whatever the tag, the content is loaded once, under the name that tells its version.
            version = versions[image.name]
            if version not in loaded:
                ensure_packages(IMAGE_PACKAGES)
                builder.ensure_base()
                archive = layout.cache / "archives" / f"{image.name}.tar"
                builder.build(image.name, version, archive)
                with step(f"{name} loaded"):
                    containerd.import_archive(layout, archive)
                archive.unlink()
            full = containerd.normalise(name)
            if full not in loaded or version not in loaded:
                containerd.tag_image(layout, version, full)
        say(f"images loaded: {', '.join(name for _, name in wanted)}")


def _load_elsewhere(target: Target, wanted: list[tuple[Image, str]], *, push: bool) -> None:
    loader = LOADERS.get(target.kind)
    if loader is None and not push:
        raise ClusterError(
            f"How images get into the cluster of the context {target.context!r} is not known. Build and push them to a "
            "registry that it can pull from:\n  IMAGE_REPOSITORY=registry.example.com/team make images"
        )
    for image, name in wanted:
        log = target.layout.logs / f"image-{image.name}.log"
        with step(f"image {name}") as progress:
            commands = [["docker", "build", "--target", image.name, "--tag", name, str(target.layout.project)]]
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
