"""What a fetch left behind."""

import tarfile
from collections.abc import Callable
from pathlib import Path

from botyard_operator.fetch import FetchResult

FetchHere = Callable[..., FetchResult]


def contents(work: Path) -> dict[str, str]:
    """Return the files of the newest archive below the work folder, links as `-> target`."""
    archive = max(work.glob("*/artifact.tar.gz"), key=lambda path: path.stat().st_mtime_ns)
    with tarfile.open(archive) as tar:
        return {
            member.name: (f"-> {member.linkname}" if file is None else file.read().decode())
            for member in tar
            for file in [tar.extractfile(member) if member.isfile() else None]
        }
