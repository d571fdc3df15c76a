"""Artifacts in a bucket, the disk being a cache: a new pod finds what it needs, whatever became of the old disk.

The bucket is the truth. A document or artifact is written there first, so that nothing is ever known that is not kept.
Artifacts come to the disk when somebody asks for them, and are served only after their digest was verified; those that
were used least recently make room. The small documents are all on the disk too. While the bucket cannot be reached,
what lies on the disk is served, nothing is stored, and everything is taken to be there still.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from weakref import WeakValueDictionary

from botyard_operator.artifacts.bucket import Bucket
from botyard_operator.artifacts.errors import StorageError
from botyard_operator.artifacts.store import ArtifactStore, storage_error

logger = logging.getLogger(__name__)

_ARTIFACT = re.compile(r"artifacts/(?P<hex>[0-9a-f]{64})\.tar\.gz")
_DOCUMENT = re.compile(r"(?P<folder>sources|builds|layers)/[0-9a-f]{64}\.json")
_FOLDERS = ("sources", "builds", "layers")
_MAX_DOCUMENT_BYTES = 16 << 20
_DOCUMENTS_AT_ONCE = 16
_PROBE_PAUSE = 5.0
_UNKNOWN = "the bucket was not reached yet"


class BucketStore(ArtifactStore):
    """Artifacts of one bucket. Safe to use from several threads of one process."""

    def __init__(
        self,
        root: Path,
        bucket: Bucket,
        *,
        quota_bytes: int | None = None,
        cache_bytes: int = 1 << 30,
        probe_pause: float = _PROBE_PAUSE,
    ) -> None:
        """Prepare; `open` does the work.

        Args:
            root: folder of the cache, on one file system.
            bucket: where artifacts are kept.
            quota_bytes: limit on all artifacts in the bucket together; None: none.
            cache_bytes: what artifacts on the disk may take together; a single larger one is let in.
            probe_pause: seconds between two looks at a bucket that cannot be reached.
        """
        super().__init__(root, quota_bytes=quota_bytes)
        self._bucket = bucket
        self._cache_bytes = cache_bytes
        self._probe_pause = probe_pause
        self._sizes: dict[str, int] | None = None
        """What is in the bucket; None: it was never listed."""
        self._uploading: dict[str, int] = {}
        self._trouble = _UNKNOWN
        self._next_probe = 0.0
        self._used: dict[str, float] = {}
        self._probing = threading.Lock()
        self._loading: WeakValueDictionary[str, _Loading] = WeakValueDictionary()

    def open(self) -> list[str]:
        """Verify what the cache holds and look at the bucket; one that cannot be reached is looked at again later.

        Returns:
            The digests whose copies on the disk were damaged; they are loaded again.
        """
        self._make_folders()
        for folder in _FOLDERS:
            self.folder(folder)
        damaged = self._verify_all()
        with contextlib.suppress(StorageError):
            self.check()
        return damaged

    def check(self) -> None:
        """Return when the bucket answers; raises StorageError otherwise."""
        if not self._trouble:
            return
        with self._probing:
            if not self._trouble:
                return
            if time.monotonic() < self._next_probe:
                raise StorageError(self._trouble, full=False)
            with self._noting():
                self._take_stock()
            logger.info("the bucket %s answers", self._bucket.url)

    @property
    def trouble(self) -> str:
        """Why the bucket cannot be used now; empty: it can."""
        return self._trouble

    def write(self, target: Path, text: str) -> None:
        """Write a small document whole or not at all, into the bucket first; raises StorageError."""
        self.check()
        with self._noting():
            self._bucket.write(self._key(target), text)
        super().write(target, text)

    def remove(self, target: Path) -> None:
        """Remove a small document; one that the bucket still has comes back, and is found to be of no use again."""
        super().remove(target)
        try:
            self.check()
            with self._noting():
                self._bucket.delete(self._key(target))
        except StorageError as error:
            logger.warning("%s was not removed: %s", target.name, error)

    def adopt(self, file: Path, digest: str) -> int:
        """Take a finished archive over into the bucket and the cache; see `ArtifactStore.adopt`."""
        self.check()
        try:
            with self._lock:
                size = self._uploading[digest] = self._admit(file, digest)
            try:
                with self._noting():
                    self._bucket.upload(_key_of(digest), file)
                with self._lock:
                    self._known_sizes()[digest] = size
            finally:
                self._uploading.pop(digest, None)
            with self._lock:
                self._make_room(size)
                self._place(file, digest)
        except OSError as error:
            raise storage_error(error) from error
        return size

    def has(self, digest: str) -> bool:
        """Return whether the artifact is in the bucket, as far as is known; True while it was never reached."""
        return self._sizes is None or digest in self._sizes

    def available(self, digest: str) -> bool:
        """Return whether the artifact can be served now."""
        return super().has(digest) if self._trouble else self.has(digest)

    def size(self, digest: str) -> int:
        """Return the artifact's size in bytes; raises FileNotFoundError when it is not in the bucket."""
        if self._sizes is not None and digest in self._sizes:
            return self._sizes[digest]
        return super().size(digest)

    def is_verified(self, digest: str) -> bool:
        """Return whether a verified copy is on the disk."""
        here = super().is_verified(digest)
        if here:
            self._used[digest] = time.monotonic()
        return here

    def verify(self, digest: str) -> bool:
        """Return whether the artifact is on the disk with the right content, loading it where it is not.

        Raises:
            StorageError: the bucket cannot be reached.
        """
        if self._verify_here(digest):
            return True
        loading = self._loading.setdefault(digest, _Loading())
        with loading.lock:
            if self._verify_here(digest):
                return True
            self.check()
            if not self.has(digest):
                return False
            try:
                return self._load(digest)
            except OSError as error:
                raise storage_error(error) from error

    def retain(self, in_use: Collection[str], *, min_age_seconds: float) -> list[str]:
        """Remove artifacts that nothing refers to from the bucket and the disk; nothing while it cannot be reached."""
        oldest = time.time() - min_age_seconds
        removed = []
        try:
            self.check()
            with self._noting():
                before = set(self._known_sizes())
                there = dict(self._artifacts_there())
                for digest, modified in there.items():
                    if digest not in in_use and modified < oldest and digest not in self._uploading:
                        self._bucket.delete(_key_of(digest))
                        removed.append(digest)
        except StorageError as error:
            logger.warning("artifacts were not swept: %s", error)
        else:
            # What somebody else took away is gone too, and is fetched again where it is needed.
            self._forget(before - set(there))
        self._forget(removed)
        for path in self._sources.glob("*.json"):
            if self._read_source(path) is None:
                self.remove(path)
        return removed

    def digests(self) -> set[str]:
        """Return the digests of all artifacts in the bucket."""
        return set(self._sizes or ())

    def usage(self) -> int:
        """Return the size of all artifacts in the bucket in bytes."""
        sizes = self._sizes or {}
        return sum(sizes.values()) + sum(size for digest, size in self._uploading.items() if digest not in sizes)

    def _load(self, digest: str) -> bool:
        with self.work_dir() as folder:
            file = folder / "loaded"
            try:
                with self._noting():
                    found = self._bucket.download(_key_of(digest), file)
            except FileNotFoundError:
                self._forget([digest])
                return False
            if found != digest:
                logger.error("%s in the bucket has another content; it is removed, and fetched again", digest)
                with self._noting():
                    self._bucket.delete(_key_of(digest))
                self._forget([digest])
                return False
            with self._lock:
                self._make_room(file.stat().st_size)
                self._place(file, digest)
        self._used[digest] = time.monotonic()
        return True

    def _take_stock(self) -> None:
        """Look what the bucket holds, and bring the documents on the disk in line."""
        before = set(self._sizes or ())
        sizes: dict[str, int] = {}
        documents = {}
        for key, stored in self._bucket.list(""):
            if artifact := _ARTIFACT.fullmatch(key):
                sizes[f"sha256:{artifact['hex']}"] = stored.size
            elif _DOCUMENT.fullmatch(key) and stored.size <= _MAX_DOCUMENT_BYTES:
                documents[key] = self._root / key
        here = {path for folder in _FOLDERS for path in self.folder(folder).iterdir()}
        with ThreadPoolExecutor(_DOCUMENTS_AT_ONCE) as pool:
            wanted = [(key, path) for key, path in documents.items() if path not in here]
            list(pool.map(lambda pair: self._load_document(*pair), wanted))
        for path in here - set(documents.values()):
            super().remove(path)
        with self._lock:
            # What was stored while this was listed may be missing in the list.
            added = {digest: size for digest, size in (self._sizes or {}).items() if digest not in before}
            self._sizes = sizes | added

    def _load_document(self, key: str, path: Path) -> None:
        with self.work_dir() as folder, contextlib.suppress(FileNotFoundError):
            self._bucket.download(key, folder / "document", max_bytes=_MAX_DOCUMENT_BYTES)
            (folder / "document").replace(path)

    def _artifacts_there(self) -> Iterator[tuple[str, float]]:
        for key, stored in self._bucket.list("artifacts"):
            if artifact := _ARTIFACT.fullmatch(key):
                yield f"sha256:{artifact['hex']}", stored.modified

    def _known_sizes(self) -> dict[str, int]:
        if self._sizes is None:
            raise StorageError(self._trouble or _UNKNOWN, full=False)
        return self._sizes

    def _make_room(self, size: int) -> None:
        """Remove copies that were used least recently until the cache has room; an open one is served to its end."""
        files = {f"sha256:{path.name.removesuffix('.tar.gz')}": path for path in self._artifacts.iterdir()}
        sizes = {digest: path.stat().st_size for digest, path in files.items()}
        total = sum(sizes.values()) + size
        for digest in sorted(files, key=lambda digest: self._used.get(digest, 0.0)):
            if total <= self._cache_bytes:
                break
            files[digest].unlink(missing_ok=True)
            self._verified.pop(digest, None)
            self._used.pop(digest, None)
            total -= sizes[digest]

    def _forget(self, digests: Collection[str]) -> None:
        with self._lock:
            for digest in digests:
                (self._sizes or {}).pop(digest, None)
                self._used.pop(digest, None)
                self._verified.pop(digest, None)
                self.path(digest).unlink(missing_ok=True)

    def _key(self, target: Path) -> str:
        return target.relative_to(self._root).as_posix()

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Note whether the bucket could be used."""
        try:
            yield
        except StorageError as error:
            self._trouble = str(error)
            self._next_probe = time.monotonic() + self._probe_pause
            raise
        self._trouble = ""


class _Loading:
    """One download of an artifact, waited for by all who ask for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def _key_of(digest: str) -> str:
    return f"artifacts/{digest.removeprefix('sha256:')}.tar.gz"
