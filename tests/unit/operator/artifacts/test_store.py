"""The store is complete or absent, and never trusts a file that its digest does not vouch for."""

import hashlib
import os
from pathlib import Path

import pytest

from botyard_operator.artifacts import ArtifactStore, StorageError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path)
    store.open()
    return store


def put(store: ArtifactStore, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with store.work_dir() as work:
        (work / "a").write_bytes(content)
        store.adopt(work / "a", digest)
    return digest


def test_an_adopted_archive_is_there_under_its_digest(store: ArtifactStore) -> None:
    digest = put(store, b"content")
    assert store.has(digest)
    assert store.size(digest) == 7
    assert store.is_verified(digest)
    assert store.path(digest).read_bytes() == b"content"


def test_adopting_the_same_content_twice_is_fine(store: ArtifactStore) -> None:
    assert put(store, b"content") == put(store, b"content")
    assert store.usage() == 7


def test_content_that_is_not_its_digest_is_refused(store: ArtifactStore) -> None:
    digest = f"sha256:{'0' * 64}"
    with store.work_dir() as work:
        (work / "a").write_bytes(b"other")
        with pytest.raises(StorageError, match="not sha256:0000"):
            store.adopt(work / "a", digest)
    assert not store.has(digest)


def test_a_work_folder_goes_even_after_a_failure(store: ArtifactStore) -> None:
    folders = []

    def fail() -> None:
        with store.work_dir() as work:
            folders.append(work)
            (work / "half").write_bytes(b"x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [folder.exists() for folder in folders] == [False]


def test_opening_sweeps_leftovers_and_removes_damaged_artifacts(tmp_path: Path, store: ArtifactStore) -> None:
    good, bad = put(store, b"good"), put(store, b"bad")
    store.path(bad).write_bytes(b"rotten")
    (tmp_path / "tmp" / "half").mkdir()
    (tmp_path / "artifacts" / "strange").write_text("x")
    again = ArtifactStore(tmp_path)
    assert again.open() == [bad]
    assert again.has(good)
    assert not again.has(bad)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "artifacts" / "strange").exists()


def test_a_file_touched_after_verification_is_read_again(store: ArtifactStore) -> None:
    digest = put(store, b"content")
    path = store.path(digest)
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(1, 1))
    assert not store.is_verified(digest)
    assert not store.verify(digest)
    assert not store.has(digest)


def test_the_quota_is_held(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, quota_bytes=10)
    store.open()
    put(store, b"123456")
    with pytest.raises(StorageError, match="quota of 10 bytes") as caught:
        put(store, b"abcdef")
    assert caught.value.full
    assert put(store, b"123456")


def test_retention_keeps_what_is_in_use_or_young(store: ArtifactStore) -> None:
    used, unused = put(store, b"used"), put(store, b"unused")
    assert store.retain({used}, min_age_seconds=60) == []
    assert store.retain({used}, min_age_seconds=-1) == [unused]
    assert store.has(used)
    assert not store.has(unused)


def test_a_source_is_known_as_long_as_its_artifact_is_there(tmp_path: Path, store: ArtifactStore) -> None:
    digest = put(store, b"content")
    store.remember("f" * 64, "c" * 40, digest)
    assert store.known("f" * 64) == ("c" * 40, digest)
    assert store.known("e" * 64) is None
    again = ArtifactStore(tmp_path)
    again.open()
    assert again.known("f" * 64) == ("c" * 40, digest)
    again.retain(set(), min_age_seconds=-1)
    assert again.known("f" * 64) is None
    assert list((tmp_path / "sources").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "sha256:xyz", "sha256:../../etc/passwd", "a" * 64, f"sha256:{'A' * 64}"])
def test_what_is_no_digest_never_becomes_a_path(store: ArtifactStore, digest: str) -> None:
    assert not store.has(digest)
    with pytest.raises(ValueError, match="is no digest"):
        store.path(digest)
