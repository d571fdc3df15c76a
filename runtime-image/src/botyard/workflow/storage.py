"""Where lasting files of workflow bots are kept: a folder (`file://`), or a bucket (`s3://`).

Calls block; asynchronous code makes them in a thread.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from botyard.workflow.errors import StorageError
from botyard.workflow.storage_s3 import S3Storage

__all__ = ["FileStorage", "Storage", "StorageError", "open_storage"]


class Storage(Protocol):
    """Files by path; a path is relative, with `/` between its parts."""

    def write(self, path: str, content: bytes) -> None:
        """Keep `content`, whole or not at all; what was there before is replaced."""

    def read(self, path: str) -> bytes:
        """Return what is kept; raises FileNotFoundError."""

    def exists(self, path: str) -> bool:
        """Tell whether something is kept there."""

    def delete(self, path: str) -> None:
        """Remove what is kept there, if anything."""

    def walk(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths below a folder, in their order."""


class FileStorage:
    """Files below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: bytes) -> None:
        """Keep `content`: it appears under its name when all of it is on disk."""
        target = self._place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync(target.parent)

    def read(self, path: str) -> bytes:
        """Return what is kept; raises FileNotFoundError."""
        return self._place(path).read_bytes()

    def exists(self, path: str) -> bool:
        """Tell whether something is kept there."""
        return self._place(path).exists()

    def delete(self, path: str) -> None:
        """Remove what is kept there, if anything."""
        self._place(path).unlink(missing_ok=True)

    def walk(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths below a folder; what is half written is not among them."""
        start = self._place(prefix) if prefix else self.root
        for folder, folders, files in os.walk(start):
            folders.sort()
            for name in sorted(files):
                if not name.startswith("."):
                    yield (Path(folder) / name).relative_to(self.root).as_posix()

    def _place(self, path: str) -> Path:
        parts = PurePosixPath(path.lstrip("/")).parts
        if not parts or ".." in parts or "\0" in path:
            raise StorageError(f"{path!r} is no path inside the storage")
        return self.root.joinpath(*parts)


def _sync(folder: Path) -> None:
    """Make the new name itself last through a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _file(uri: str) -> Storage:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"{uri} names a host: write file:///folder")
    return FileStorage(Path(unquote(parts.path)))


_SCHEMES: dict[str, Callable[[str], Storage]] = {"file": _file, "s3": S3Storage}


def open_storage(uri: str) -> Storage:
    """Return the storage of an address.

    Args:
        uri: `file:///folder`, a folder's plain path, or `s3://bucket/folder`.

    Raises:
        StorageError: The address is not understood.
    """
    scheme, found, _ = uri.partition("://")
    if not found:
        return FileStorage(Path(uri))
    opener = _SCHEMES.get(scheme.lower())
    if opener is None:
        raise StorageError(f"{scheme}:// is no storage that is known here: use {', '.join(_SCHEMES)}")
    return opener(uri)
