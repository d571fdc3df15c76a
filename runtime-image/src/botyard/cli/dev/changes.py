"""Which files of a folder changed."""

import asyncio
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

POLL_SECONDS = 0.2
_IGNORED = {"__pycache__", "node_modules", "venv"}
_MOST_FILES = 20_000

Snapshot = Mapping[Path, tuple[int, int, int]]


def snapshot(folder: Path) -> Snapshot:
    """Return modification time, size and inode of each file; hidden ones and caches are left out."""
    found: dict[Path, tuple[int, int, int]] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _IGNORED and not name.startswith(".")]
        for name in names:
            if name.startswith(".") or name.endswith(("~", ".pyc", ".swp", ".tmp")):
                continue
            path = Path(parent, name)
            try:
                stat = path.stat()
            except OSError:
                continue
            found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if len(found) >= _MOST_FILES:
                return found
    return found


def difference(before: Snapshot, after: Snapshot) -> list[Path]:
    """Return the files that were added, removed or changed, by name."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


async def changed(folder: Path, before: Snapshot, *, poll: float = POLL_SECONDS) -> tuple[list[Path], Snapshot]:
    """Wait until files differ from `before` and have come to rest; return which, and how they are now."""
    last = before
    while True:
        await asyncio.sleep(poll)
        now = await asyncio.to_thread(snapshot, folder)
        # Two equal looks: an editor or a checkout that writes many files is through.
        if now == last and now != before:
            return difference(before, now), now
        last = now


def forget_bytecode(paths: list[Path]) -> None:
    """Remove the compiled files of sources: Python tells a change by whole seconds and size, which is too coarse."""
    for path in paths:
        if path.suffix == ".py":
            Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
