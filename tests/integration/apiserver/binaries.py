"""Where etcd and kube-apiserver are: whatever the local cluster's tooling has built."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NEEDED = ("etcd", "kube-apiserver")


class BinariesMissing(Exception):
    """The binaries were not built yet; the message says how to."""


def find_binaries() -> Path:
    """Return the folder that holds etcd and kube-apiserver.

    Raises:
        BinariesMissing: There is none.
    """
    candidates = list(_candidates())
    for folder in candidates:
        if all(os.access(folder / name, os.X_OK) for name in NEEDED):
            return folder
    looked = ", ".join(str(folder) for folder in candidates)
    raise BinariesMissing(f"{' and '.join(NEEDED)} are missing (looked in {looked}): run `make cluster-binaries`")


def _candidates() -> Iterator[Path]:
    given = os.environ.get("BOTYARD_CLUSTER_BIN")
    if given:
        # Somebody who names a folder wants that one and no other.
        yield Path(given)
        return
    yield ROOT / ".cluster-cache" / "bin"
    yield Path(os.environ.get("BOTYARD_CLUSTER_DIR") or ROOT / ".cluster") / "bin"
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("BOTYARD_CLUSTER_CACHE") or cache_home / "botyard") / "bin"
    if cache.is_dir():
        yield from sorted(cache.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
