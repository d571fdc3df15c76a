"""Packs a layer into an archive: deterministic, and without anything that leads out of it."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEVEL = 1
"""Of gzip: layers are large, and travel inside the cluster."""


class LayerError(Exception):
    """The layer cannot be packed; the message says what to change."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def pack(folder: Path, target: Path, *, max_bytes: int, max_files: int) -> str:
    """Write a folder as tar.gz; equal content gives equal bytes.

    Args:
        folder: What is packed. Foreign code wrote it, and may still: nothing is followed out of it.
        target: The archive; in a folder of the caller's own.
        max_bytes: Limit on the content of all files.
        max_files: Limit on their number.

    Returns:
        The archive's digest, `sha256:…`.

    Raises:
        LayerError: A limit is exceeded.
    """
    total = count = 0
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in _entries(folder):
            count += 1
            if count > max_files:
                raise LayerError(
                    "TooManyFiles", f"the dependencies have more than {max_files} files; list fewer packages"
                )
            info = tarfile.TarInfo(name)
            if path.is_symlink():
                # Installed packages have none that matter: tools of other languages, and traps.
                continue
            with _opened(path) as file:
                if file is None:
                    continue
                status = os.fstat(file)
                total += status.st_size
                if total > max_bytes:
                    raise LayerError(
                        "TooLarge", f"the dependencies unpack to more than {max_bytes} bytes; list fewer packages"
                    )
                info.size = status.st_size
                info.mode = 0o755 if status.st_mode & 0o100 else 0o644
                with os.fdopen(os.dup(file), "rb") as content:
                    tar.addfile(info, content)
    return digest_of(target)


def pack_log(text: bytes, target: Path) -> str:
    """Write a build's log as tar.gz with the one file `build.log`; return its digest."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        info = tarfile.TarInfo("build.log")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return digest_of(target)


def digest_of(path: Path) -> str:
    """Return a file's digest, `sha256:…`."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    for root, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(files):
            path = Path(root) / name
            yield path.relative_to(folder).as_posix(), path


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open an ordinary file without following a link; give None for everything else."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield None
        return
    try:
        yield handle if stat.S_ISREG(os.fstat(handle).st_mode) else None
    finally:
        os.close(handle)
