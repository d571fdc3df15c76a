"""A real S3 server, and stores on its bucket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botyard_operator.artifacts.bucket import Bucket
from botyard_operator.artifacts.bucket_store import BucketStore
from tests.integration.s3.server import S3Server

MakeStore = Callable[..., BucketStore]


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    server = S3Server(tmp_path / "s3")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_store(tmp_path: Path, s3: S3Server) -> MakeStore:
    """Return an opened store with a disk of its own, as each new pod of the operator has one."""
    made = 0

    def make(*, disk: str = "", **options: object) -> BucketStore:
        nonlocal made
        made += 1
        bucket = Bucket(s3.settings(tmp_path / "secret"))
        store = BucketStore(tmp_path / (disk or f"disk-{made}"), bucket, probe_pause=0.05, **options)  # type: ignore[arg-type]
        store.open()
        return store

    return make
