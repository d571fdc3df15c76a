"""What builds produced: a record for each, and which layer belongs to which inputs.

Beside the artifacts of the same store: `builds/<id>.json` and `layers/<key>.json`, each complete or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from botyard.contract.base import Document
from botyard.contract.build import BuildReport
from botyard_operator.artifacts.store import ArtifactStore

D = TypeVar("D", bound=Document)

_ID = re.compile(r"[0-9a-f]{64}")


class BuildRecord(Document):
    """A build that ended."""

    report: BuildReport
    layer_size: int = 0


class _LayerEntry(Document):
    digest: str


class BuildRecords:
    """The records of one store. Methods block on the disk."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._builds = store.folder("builds")
        self._layers = store.folder("layers")

    def get(self, build: str) -> BuildRecord | None:
        """Return the record of a build; None where there is none, or its layer is gone."""
        record = _read(self._builds / f"{build}.json", BuildRecord)
        if record is None or (record.report.layer_digest and not self._store.has(record.report.layer_digest)):
            return None
        return record

    def put(self, build: str, record: BuildRecord) -> None:
        """Keep a record.

        Raises:
            StorageError: The disk refuses.
            ValueError: `build` is no build's id.
        """
        if not _ID.fullmatch(build):
            raise ValueError(f"{build!r} is no build's id")
        self._store.write(self._builds / f"{build}.json", record.to_json())

    def forget(self, build: str) -> None:
        """Drop a record, so that the build runs again."""
        self._store.remove(self._builds / f"{build}.json")

    def holds(self, digest: str) -> bool:
        """Return whether a layer is in storage."""
        return self._store.has(digest)

    def layer(self, namespace: str, inputs: str) -> str | None:
        """Return the digest of the layer that was made from these inputs in this namespace, if it is here."""
        entry = _read(self._layer_path(namespace, inputs), _LayerEntry)
        return entry.digest if entry is not None and self._store.has(entry.digest) else None

    def remember_layer(self, namespace: str, inputs: str, digest: str) -> None:
        """Note which layer was made from these inputs; raises StorageError when the disk refuses."""
        self._store.write(self._layer_path(namespace, inputs), _LayerEntry(digest=digest).to_json())

    def retain(self, in_use: Collection[str], *, min_age_seconds: float) -> None:
        """Drop the records of builds that no status names, and of layers that are gone.

        Args:
            in_use: Ids of builds.
            min_age_seconds: Younger records stay in any case.
        """
        oldest = time.time() - min_age_seconds
        for path in self._builds.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                if path.stem not in in_use and path.stat().st_mtime < oldest:
                    self._store.remove(path)
        for path in self._layers.glob("*.json"):
            entry = _read(path, _LayerEntry)
            if entry is None or not self._store.has(entry.digest):
                self._store.remove(path)

    def _layer_path(self, namespace: str, inputs: str) -> Path:
        return self._layers / f"{hashlib.sha256(f'{namespace}:{inputs}'.encode()).hexdigest()}.json"


@dataclass(frozen=True, slots=True)
class IndexAccess:
    """A package index and how to reach it."""

    url: str
    """Of its simple API, such as `https://pypi.org/simple`."""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"IndexAccess({self.url!r})"


@dataclass(frozen=True, slots=True)
class LiveBuild:
    """A build that runs, as the server must know it."""

    namespace: str
    index: IndexAccess | None
    done: Callable[[], None]
    """Called when its report is kept."""


LiveBuilds = dict[str, LiveBuild]
"""The builds that run, by their ids; what is not in here may deliver nothing."""


def _read(path: Path, model: type[D]) -> D | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
