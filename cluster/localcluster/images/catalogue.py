"""The images, what each is made of, and the digest that names its content."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localcluster.layout import digest

REPOSITORY = "botyard"
IGNORED = ("__pycache__", ".egg-info")


@dataclass(frozen=True)
class Image:
    """One target of the Dockerfile.

    Args:
        name: Target, and last part of the repository's name.
        inputs: Files and folders of the project that it is made of.
    """

    name: str
    inputs: tuple[str, ...]

    def version(self, project: Path) -> str:
        """Return the digest of everything that the image is made of: equal content, equal tag.

        Args:
            project: Root of the checkout.
        """
        parts: list[bytes | str] = []
        for path in input_files(project, ("Dockerfile", *self.inputs)):
            parts += [str(path.relative_to(project)), oct(path.stat().st_mode & 0o111), path.read_bytes()]
        return digest(*parts)[:12]


_PYTHON = (
    "cluster/images",
    "runtime-image/pyproject.toml",
    "runtime-image/README.md",
    "runtime-image/src",
)
IMAGES = (
    Image(
        "operator",
        (*_PYTHON, "operator/pyproject.toml", "operator/README.md", "operator/requirements.lock", "operator/src"),
    ),
    Image("runtime", (*_PYTHON, "runtime-image/requirements.lock")),
    Image("git-server", ("cluster/git-server",)),
    Image("redis", ()),
)


def input_files(project: Path, inputs: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files below `inputs`, sorted; what `.dockerignore` leaves out is left out."""
    for name in inputs:
        path = project / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            if file.is_file() and not any(part.endswith(IGNORED) for part in file.parts):
                yield file
