"""Unpacks a verified archive so that nothing in it can reach outside of its folder."""

import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from botyard.bundle_fetch.download import BundleFetchError

_STAGING = ".botyard-incoming-"


@dataclass(frozen=True, kw_only=True)
class UnpackLimits:
    """Bounds on what an archive may become."""

    max_bytes: int = 1024 * 1024 * 1024
    """Content of all files together, in bytes."""
    max_files: int = 1_000_000


def unpack(archive: Path, dest: Path, *, limits: UnpackLimits) -> int:
    """Make `dest` hold exactly the archive's content.

    The content is complete beside its place before it takes it: where `dest` is an ordinary folder by one rename,
    where it is a mount point (a pod's volume, which cannot be renamed) entry by entry. A failure leaves what was there.

    Args:
        archive: a tar.gz file.
        dest: the folder; made when it does not exist.
        limits: bounds.

    Returns:
        The number of files and links.

    Raises:
        BundleFetchError: the archive holds something refused, or is none.
        OSError: the disk refuses.
    """
    dest.mkdir(parents=True, exist_ok=True)
    in_place = os.path.ismount(dest) or not os.access(dest.parent, os.W_OK)
    for old in (dest if in_place else dest.parent).glob(f"{_STAGING}*"):
        shutil.rmtree(old)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=dest if in_place else dest.parent))
    try:
        staging.chmod(0o755)
        count = _extract(archive, staging, limits)
        if in_place:
            _move_entries(staging, dest)
        else:
            _swap(staging, dest)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return count


def _extract(archive: Path, staging: Path, limits: UnpackLimits) -> int:
    """Write the members below an empty folder that nobody else writes to.

    Not by `tarfile.extract`: its safe filters are missing in Python 3.11 before 3.11.4, which distributions still
    ship. Links are made last, when nothing is written any more, so nothing can be written through one.
    """
    links: dict[Path, str] = {}
    total = count = 0
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            for member in tar:
                count += 1
                total += member.size
                if count > limits.max_files or total > limits.max_bytes:
                    raise BundleFetchError(
                        f"the bundle unpacks to more than {limits.max_files} files or {limits.max_bytes} bytes; "
                        "lower spec.limits of the Bundle."
                    )
                path = staging / _safe_name(member.name)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                elif member.issym():
                    links[path] = member.linkname
                elif member.isreg():
                    content = tar.extractfile(member)
                    assert content is not None
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("xb") as out:
                        shutil.copyfileobj(content, out)
                    path.chmod(0o755 if member.mode & 0o100 else 0o644)
                else:
                    raise _refused(member.name, "is neither file, folder nor symbolic link")
        for path, target in links.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(os.path.relpath(error.filename, staging), "is there twice") from error
    except (tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise BundleFetchError(f"the bundle is no readable archive: {error}. Reconcile the Bundle again.") from error
    _check_links(staging, links)
    return count


def _safe_name(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise _refused(name, "would leave its folder or has a forbidden name")
    return name


def _check_links(staging: Path, links: Mapping[Path, str]) -> None:
    root = staging.resolve()
    for path, target in links.items():
        try:
            inside = not target.startswith("/") and path.resolve().is_relative_to(root)
        except RuntimeError:  # a loop of links
            inside = False
        if not inside:
            raise _refused(str(path.relative_to(staging)), f"is a symbolic link to {target!r}, out of its folder")


def _refused(name: str, what: str) -> BundleFetchError:
    return BundleFetchError(
        f"{name!r} in the bundle {what}: this archive was not made by Botyard. Reconcile the Bundle again."
    )


def _swap(staging: Path, dest: Path) -> None:
    old = Path(tempfile.mkdtemp(prefix=_STAGING, dir=dest.parent))
    try:
        dest.rename(old)
        try:
            staging.rename(dest)
        except OSError:
            old.rename(dest)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _move_entries(staging: Path, dest: Path) -> None:
    for entry in dest.iterdir():
        if entry == staging or entry.name == "lost+found":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for entry in sorted(staging.iterdir()):
        entry.rename(dest / entry.name)
