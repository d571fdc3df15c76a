"""The folder of artifacts: content-addressed, complete or absent, never trusted without its digest.

Layout below the root: `artifacts/<hex>.tar.gz`, `sources/<hex>.json` (which archive a commit became, so that an
unchanged source needs no fetch), further folders of small documents (`folder`), `tmp/` (work in progress, emptied at
start). All methods block on the disk; callers in an event loop use threads for those that hash or remove.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from botyard_operator.artifacts.errors import StorageError

_PREFIX = "sha256:"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SUFFIX = ".tar.gz"
_BLOCK = 1 << 20

Signature = tuple[int, int, int]
"""Size, modification time in ns, inode: what changes when a file is touched."""


class ArtifactStore:
    """Artifacts on one disk. Safe to use from several threads of one process."""

    def __init__(self, root: Path, *, quota_bytes: int | None = None) -> None:
        """Prepare; `open` does the work.

        Args:
            root: folder of the store, on one file system.
            quota_bytes: limit on all artifacts together; None: the disk alone limits.
        """
        self._root = root
        self._artifacts = root / "artifacts"
        self._sources = root / "sources"
        self._tmp = root / "tmp"
        self._quota = quota_bytes
        self._lock = threading.Lock()
        self._verified: dict[str, Signature] = {}

    def open(self) -> list[str]:
        """Create the folders, sweep what a crash left behind, verify every artifact.

        Returns:
            The digests whose content was damaged; their files are gone.
        """
        self._make_folders()
        damaged = self._verify_all()
        for path in self._sources.glob("*.json"):
            if self._read_source(path) is None:
                self.remove(path)
        return damaged

    def check(self) -> None:
        """Return when artifacts can be stored and read; raises StorageError otherwise. A disk always can."""

    @property
    def trouble(self) -> str:
        """Why artifacts cannot be stored and read now; empty: they can."""
        return ""

    def _make_folders(self) -> None:
        shutil.rmtree(self._tmp, ignore_errors=True)
        for folder in (self._artifacts, self._sources, self._tmp):
            folder.mkdir(parents=True, exist_ok=True)

    def _verify_all(self) -> list[str]:
        """Remove what is no artifact or a damaged one; return the digests of the latter."""
        damaged = []
        for path in sorted(self._artifacts.iterdir()):
            digest = f"{_PREFIX}{path.name.removesuffix(_SUFFIX)}"
            if not path.name.endswith(_SUFFIX) or not _DIGEST.fullmatch(digest):
                _remove(path)
            elif not self._verify_here(digest):
                damaged.append(digest)
        return damaged

    @contextmanager
    def work_dir(self) -> Iterator[Path]:
        """Give an empty private folder on the store's disk; it is removed at the end of the block.

        Raises:
            StorageError: the folder cannot be made.
        """
        try:
            path = Path(tempfile.mkdtemp(dir=self._tmp))
        except OSError as error:
            raise storage_error(error) from error
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def folder(self, name: str) -> Path:
        """Return a folder of the store for small documents, made where it is missing; `write` fills it."""
        path = self._root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, target: Path, text: str) -> None:
        """Write a small document whole or not at all.

        Args:
            target: A file in a folder of this store.
            text: Its content.

        Raises:
            StorageError: The disk refuses.
        """
        try:
            handle, name = tempfile.mkstemp(dir=self._tmp)
            with os.fdopen(handle, "w") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            Path(name).replace(target)
        except OSError as error:
            raise storage_error(error) from error

    def remove(self, target: Path) -> None:
        """Remove a small document, if it is there."""
        target.unlink(missing_ok=True)

    def adopt(self, file: Path, digest: str) -> int:
        """Take a finished archive over into the store.

        Args:
            file: an archive in a `work_dir` of this store; it is moved away.
            digest: what its content must have, `sha256:<hex>`.

        Returns:
            Its size in bytes.

        Raises:
            StorageError: it is damaged, over the quota, or the disk refuses.
        """
        try:
            with self._lock:
                size = self._admit(file, digest)
                self._place(file, digest)
        except OSError as error:
            raise storage_error(error) from error
        return size

    def _admit(self, file: Path, digest: str) -> int:
        """Hold an archive against its digest and the quota; return its size."""
        size = file.stat().st_size
        if digest_of(file) != digest:
            raise StorageError(f"the archive's content is not {digest}; it is fetched again", full=False)
        # Present already: equal by name, and replaced in case the old copy was damaged.
        try:
            size_before = self.size(digest)
        except FileNotFoundError:
            size_before = 0
        if self._quota is not None and self.usage() - size_before + size > self._quota:
            raise StorageError(
                f"the artifact of {size} bytes does not fit into the store's quota of {self._quota} bytes; "
                "raise it or retain fewer revisions",
                full=True,
            )
        return size

    def _place(self, file: Path, digest: str) -> None:
        """Move a verified archive to its place."""
        target = self.path(digest)
        file.chmod(0o600)
        _sync(file)
        file.replace(target)
        _sync(self._artifacts)
        self._verified[digest] = _signature(target)

    def path(self, digest: str) -> Path:
        """Return where an artifact lies or would lie.

        Raises:
            ValueError: `digest` is not `sha256:<64 hex digits>`.
        """
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no digest; sha256: and 64 hexadecimal digits are expected")
        return self._artifacts / f"{digest.removeprefix(_PREFIX)}{_SUFFIX}"

    def has(self, digest: str) -> bool:
        """Return whether the artifact is in storage, without reading it."""
        return bool(_DIGEST.fullmatch(digest)) and self.path(digest).is_file()

    def available(self, digest: str) -> bool:
        """Return whether the artifact can be served now."""
        return self.has(digest)

    def size(self, digest: str) -> int:
        """Return the artifact's size in bytes; raises FileNotFoundError when it is not here."""
        return self.path(digest).stat().st_size

    def is_verified(self, digest: str) -> bool:
        """Return whether the content was verified and the file has not been touched since."""
        try:
            return self._verified.get(digest) == _signature(self.path(digest))
        except FileNotFoundError:
            return False

    def verify(self, digest: str) -> bool:
        """Return whether the artifact is here with the right content; a damaged one is removed.

        Raises:
            StorageError: where it is cannot be reached.
        """
        return self._verify_here(digest)

    def _verify_here(self, digest: str) -> bool:
        if self.is_verified(digest):
            return True
        path = self.path(digest)
        try:
            before = _signature(path)
            found = digest_of(path)
        except FileNotFoundError:
            return False
        with self._lock:
            if found == digest:
                self._verified[digest] = before
                return True
            # Only what was read is removed: a good copy may have taken its place meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if _signature(path) == before:
                    path.unlink()
            self._verified.pop(digest, None)
        return False

    def remember(self, source: str, commit: str, digest: str, notes: Mapping[str, str] | None = None) -> None:
        """Note that `commit` of a source became the artifact `digest`.

        Args:
            source: hex digest over everything that shapes the archive (URL, ref, path, ignore rules…).
            commit: full object id.
            digest: the artifact's digest.
            notes: what else was found out about the source.

        Raises:
            StorageError: the disk refuses.
        """
        entry = {"commit": commit, "digest": digest, "notes": dict(notes or {})}
        self.write(self._sources / f"{source}.json", json.dumps(entry))

    def known(self, source: str) -> tuple[str, str] | None:
        """Return (commit, digest) that the source was last fetched as, when that artifact is still here."""
        return self._read_source(self._sources / f"{source}.json")

    def notes(self, source: str) -> dict[str, str]:
        """Return what was noted together with `known`."""
        try:
            notes = json.loads((self._sources / f"{source}.json").read_text()).get("notes") or {}
            return {str(name): str(value) for name, value in notes.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def retain(self, in_use: Collection[str], *, min_age_seconds: float) -> list[str]:
        """Remove artifacts that nothing refers to.

        Args:
            in_use: digests that must stay.
            min_age_seconds: younger artifacts stay too: what was stored a moment ago may not be in any status yet.

        Returns:
            The digests that were removed.
        """
        removed = []
        oldest = time.time() - min_age_seconds
        with self._lock:
            for path in sorted(self._artifacts.glob(f"*{_SUFFIX}")):
                digest = f"{_PREFIX}{path.name.removesuffix(_SUFFIX)}"
                with contextlib.suppress(FileNotFoundError):
                    if digest in in_use or path.stat().st_ctime > oldest:
                        continue
                    path.unlink()
                    self._verified.pop(digest, None)
                    removed.append(digest)
        if removed:
            for path in self._sources.glob("*.json"):
                if self._read_source(path) is None:
                    self.remove(path)
        return removed

    def digests(self) -> set[str]:
        """Return the digests of all artifacts that are here."""
        return {f"{_PREFIX}{path.name.removesuffix(_SUFFIX)}" for path in self._artifacts.glob(f"*{_SUFFIX}")}

    def usage(self) -> int:
        """Return the size of all artifacts in bytes."""
        total = 0
        for path in self._artifacts.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def _read_source(self, path: Path) -> tuple[str, str] | None:
        try:
            entry = json.loads(path.read_text())
            commit, digest = str(entry["commit"]), str(entry["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (commit, digest) if self.has(digest) else None


def _signature(path: Path) -> Signature:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def digest_of(path: Path) -> str:
    """Return the digest of a file's content, `sha256:<hex>`."""
    found = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            found.update(block)
    return f"{_PREFIX}{found.hexdigest()}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def storage_error(error: OSError) -> StorageError:
    """Return what an error of the disk means for an artifact."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    advice = "the artifact volume is full; enlarge it" if full else "check the artifact volume"
    return StorageError(f"{error.strerror}: {advice}", full=full)
