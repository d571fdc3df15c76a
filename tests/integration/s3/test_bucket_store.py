"""Artifacts in a bucket of a real S3 server: complete or absent, verified before they are served, kept for new pods."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import aiohttp
import pytest

from botyard.contract.build import BuildReport
from botyard_operator.artifacts import ArtifactServer, ArtifactStore, StorageError, token_for
from botyard_operator.artifacts.bucket import Bucket
from botyard_operator.artifacts.bucket_store import BucketStore
from botyard_operator.artifacts.builds import BuildRecord, BuildRecords
from tests.integration.git.server import Certificate
from tests.integration.s3.conftest import MakeStore
from tests.integration.s3.server import S3Server

SOURCE, COMMIT = "f" * 64, "c" * 40
BUILD = "b" * 64


def put(store: ArtifactStore, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with store.work_dir() as work:
        (work / "a").write_bytes(content)
        store.adopt(work / "a", digest)
    return digest


def object_of(s3: S3Server, digest: str) -> Path:
    return s3.bucket / "artifacts" / f"{digest.removeprefix('sha256:')}.tar.gz"


def test_what_one_pod_stored_the_next_one_has(make_store: MakeStore, s3: S3Server) -> None:
    store = make_store()
    digest = put(store, b"content")
    store.remember(SOURCE, COMMIT, digest, {"name": "main"})
    BuildRecords(store).put(BUILD, BuildRecord(report=BuildReport(manifest={"model": "fsm"})))
    BuildRecords(store).remember_layer("shop", f"sha256:{'1' * 64}", digest)
    assert object_of(s3, digest).read_bytes() == b"content"

    again = make_store()
    assert (again.has(digest), again.size(digest), again.usage()) == (True, 7, 7)
    assert again.known(SOURCE) == (COMMIT, digest)
    assert again.notes(SOURCE) == {"name": "main"}
    record = BuildRecords(again).get(BUILD)
    assert record is not None
    assert record.report.manifest == {"model": "fsm"}
    assert BuildRecords(again).layer("shop", f"sha256:{'1' * 64}") == digest
    assert not again.is_verified(digest), "nothing is loaded before somebody asks for it"
    assert again.verify(digest)
    assert again.path(digest).read_bytes() == b"content"


def test_an_artifact_of_many_parts_arrives_as_it_was(make_store: MakeStore) -> None:
    content = hashlib.shake_128(b"seed").digest(20 << 20)
    digest = put(make_store(), content)
    again = make_store()
    assert again.verify(digest)
    assert again.path(digest).read_bytes() == content


def test_content_that_is_not_its_digest_never_gets_into_the_bucket(make_store: MakeStore, s3: S3Server) -> None:
    store = make_store()
    digest = f"sha256:{'0' * 64}"
    with store.work_dir() as work:
        (work / "a").write_bytes(b"other")
        with pytest.raises(StorageError, match="not sha256:0000"):
            store.adopt(work / "a", digest)
    assert not store.has(digest)
    assert not object_of(s3, digest).exists()


def test_an_object_that_was_changed_in_the_bucket_is_not_served_and_goes(make_store: MakeStore, s3: S3Server) -> None:
    digest = put(make_store(), b"content")
    object_of(s3, digest).write_bytes(b"CONTENT")
    store = make_store()
    assert store.has(digest)
    assert not store.verify(digest)
    assert not store.has(digest)
    assert not object_of(s3, digest).exists()
    assert put(store, b"content") == digest, "it is fetched again"
    assert store.verify(digest)


def test_an_object_that_somebody_removed_is_missed(make_store: MakeStore, s3: S3Server) -> None:
    first = make_store()
    digest, other = put(first, b"content"), put(first, b"other")
    store = make_store()
    object_of(s3, digest).unlink()
    assert not store.verify(digest)
    assert not store.has(digest)
    object_of(s3, other).unlink()
    store.retain({digest, other}, min_age_seconds=3600)
    assert not store.has(other), "the sweep looks too"


def test_names_that_are_no_artifacts_are_left_alone(make_store: MakeStore, s3: S3Server) -> None:
    (s3.bucket / "artifacts").mkdir()
    (s3.bucket / "artifacts" / "notes.txt").write_text("somebody's")
    (s3.bucket / "sources").mkdir()
    (s3.bucket / "sources" / "x.json").write_text("{}")
    store = make_store()
    assert store.digests() == set()
    assert store.retain(set(), min_age_seconds=-1) == []
    assert (s3.bucket / "artifacts" / "notes.txt").exists()


def test_retention_keeps_what_is_in_use_or_young(make_store: MakeStore, s3: S3Server) -> None:
    store = make_store()
    used, unused = put(store, b"used"), put(store, b"unused")
    store.remember(SOURCE, COMMIT, unused)
    assert store.retain({used}, min_age_seconds=3600) == []
    assert store.retain({used}, min_age_seconds=-5) == [unused]
    assert (store.has(used), store.has(unused)) == (True, False)
    assert not object_of(s3, unused).exists()
    assert not store.path(unused).exists()
    assert list((s3.bucket / "sources").glob("*")) == []


def test_the_quota_counts_what_is_in_the_bucket(make_store: MakeStore) -> None:
    put(make_store(), b"123456")
    store = make_store(quota_bytes=10)
    with pytest.raises(StorageError, match="quota of 10 bytes") as caught:
        put(store, b"abcdef")
    assert caught.value.full
    assert not store.trouble, "a full quota is no trouble of the bucket"
    assert put(store, b"123456")


def test_the_cache_stays_small_and_serves_everything(make_store: MakeStore) -> None:
    store = make_store(cache_bytes=250)
    digests = [put(store, bytes([number]) * 100) for number in range(5)]
    assert sum(path.stat().st_size for path in (store.path(digest) for digest in digests) if path.exists()) <= 250
    for digest in digests:
        assert store.verify(digest)
        assert store.path(digest).exists()
    assert store.usage() == 500
    large = put(store, b"x" * 1000)
    assert store.path(large).exists(), "one artifact beyond the limit is let in alone"


def test_many_who_ask_at_once_load_an_artifact_once(make_store: MakeStore, s3: S3Server) -> None:
    content = b"x" * 3_000_000
    digest = put(make_store(), content)
    store = make_store()
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(store.verify(digest))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    assert list((store.path(digest).parents[1] / "tmp").iterdir()) == []


def test_a_bucket_that_is_away_is_told_and_heals(make_store: MakeStore, s3: S3Server) -> None:
    there = put(make_store(), b"there")
    store = make_store()
    here = put(store, b"here")
    s3.stop()
    with pytest.raises(
        StorageError, match=r"the bucket s3://artifacts cannot be reached; check its endpoint"
    ) as caught:
        put(store, b"new")
    assert not caught.value.full
    assert "cannot be reached" in store.trouble
    assert store.available(here), "what is on the disk is served"
    assert store.verify(here)
    assert not store.available(there)
    assert store.has(there), "nothing is forgotten meanwhile"
    assert store.retain(set(), min_age_seconds=-5) == [], "nor removed"
    with pytest.raises(StorageError):
        store.check()
    s3.start()
    await_reachable(store)
    assert store.available(here)
    assert put(store, b"new")


def test_an_operator_that_starts_without_its_bucket_takes_stock_later(make_store: MakeStore, s3: S3Server) -> None:
    first = make_store()
    digest = put(first, b"content")
    first.remember(SOURCE, COMMIT, digest)
    s3.stop()
    store = make_store()
    assert store.has(digest), "unknown is not gone: no history is forgotten, nothing is fetched anew"
    assert not store.available(digest)
    with pytest.raises(StorageError):
        store.verify(digest)
    s3.start()
    await_reachable(store)
    assert store.known(SOURCE) == (COMMIT, digest)
    assert store.verify(digest)
    assert not store.has(f"sha256:{'0' * 64}")


def test_a_bucket_that_stalls_is_given_up(make_store: MakeStore, s3: S3Server) -> None:
    store = make_store()
    with s3.frozen(), pytest.raises(StorageError, match="cannot be reached"):
        put(store, b"content")
    await_reachable(store)
    assert put(store, b"content")


def test_a_process_that_is_killed_while_it_stores_leaves_only_what_is_whole(
    make_store: MakeStore, s3: S3Server, tmp_path: Path
) -> None:
    settings = s3.settings(tmp_path / "secret")
    there: set[str] = set()
    for number in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path / "writer"), str(settings.credentials)],
            env={**os.environ, "BUCKET": settings.url, "ENDPOINT": settings.endpoint},
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        if number % 2:
            writer.stdout.readline()
        threading.Event().wait(0.01 * number)
        writer.kill()
        writer.wait()
        store = make_store()
        there |= store.digests()
        assert all(store.verify(digest) for digest in store.digests())
        known = store.known(SOURCE)
        assert known is None or store.verify(known[1])
    assert there, "some of them got there"


_WRITER = """
import hashlib, os, sys
from pathlib import Path
from botyard_operator.artifacts.bucket import Bucket, BucketSettings
from botyard_operator.artifacts.bucket_store import BucketStore
settings = BucketSettings(url=os.environ["BUCKET"], endpoint=os.environ["ENDPOINT"], credentials=Path(sys.argv[2]))
store = BucketStore(Path(sys.argv[1]), Bucket(settings))
store.open()
print("begins", flush=True)
while True:
    content = os.urandom(12 << 20)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with store.work_dir() as work:
        (work / "a").write_bytes(content)
        store.adopt(work / "a", digest)
    store.remember("f" * 64, "c" * 40, digest)
    print("stored", flush=True)
"""


def test_a_missing_bucket_and_refused_credentials_say_what_to_do(tmp_path: Path, s3: S3Server) -> None:
    settings = s3.settings(tmp_path / "secret", bucket="elsewhere")
    missing = BucketStore(tmp_path / "a", Bucket(settings))
    missing.open()
    assert missing.trouble == "the bucket s3://elsewhere does not exist; create it, or correct its name"
    settings = s3.settings(tmp_path / "secret")
    (tmp_path / "secret" / "secret-access-key").write_text("wrong")
    refused = BucketStore(tmp_path / "b", Bucket(settings), probe_pause=0)
    refused.open()
    assert "refuses the credentials; correct their Secret" in refused.trouble
    assert s3.secret_key not in refused.trouble
    (tmp_path / "secret" / "secret-access-key").unlink()
    gone = BucketStore(tmp_path / "c", Bucket(settings))
    gone.open()
    assert gone.trouble


def test_a_folder_of_a_bucket_and_a_private_authority(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    s3 = S3Server(tmp_path / "s3", certificate=Certificate.create(tmp_path / "tls"))
    s3.start()
    try:
        settings = s3.settings(tmp_path / "secret", prefix="team/botyard")
        store = BucketStore(tmp_path / "disk", Bucket(settings))
        store.open()
        assert not store.trouble
        digest = put(store, b"content")
        hexadecimal = digest.removeprefix("sha256:")
        assert (s3.bucket / "team" / "botyard" / "artifacts" / f"{hexadecimal}.tar.gz").exists()
        again = BucketStore(tmp_path / "again", Bucket(settings))
        again.open()
        assert again.verify(digest)
        (tmp_path / "secret" / "ca.crt").unlink()
        untrusting = BucketStore(tmp_path / "third", Bucket(settings))
        untrusting.open()
        assert "cannot be reached" in untrusting.trouble
    finally:
        s3.stop()


async def test_pods_are_served_from_the_bucket_with_ranges_and_etags(make_store: MakeStore, s3: S3Server) -> None:
    content = bytes(range(256)) * 64
    digest = put(make_store(), content)
    key = b"k" * 32
    store = make_store()
    server = ArtifactServer(store, key=key)
    port = await server.start(0, "127.0.0.1")
    url = f"http://127.0.0.1:{port}/v1/artifacts/{digest.removeprefix('sha256:')}.tar.gz"
    headers = {"Authorization": f"Bearer {token_for(key, digest)}"}
    try:
        async with aiohttp.ClientSession(headers=headers, auto_decompress=False) as client:
            s3.stop()
            store._trouble = "away"
            async with client.get(url) as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            s3.start()
            store._next_probe = 0
            async with client.get(url, headers={"Range": "bytes=256-511"}) as answer:
                assert (answer.status, await answer.read()) == (206, content[256:512])
            async with client.get(url) as answer:
                assert (answer.headers["ETag"], await answer.read()) == (f'"{digest}"', content)
            async with client.get(url, headers={"If-None-Match": f'"{digest}"'}) as answer:
                assert answer.status == 304
    finally:
        await server.stop()


def await_reachable(store: BucketStore, seconds: float = 90) -> None:
    give_up = time.monotonic() + seconds
    while True:
        try:
            store.check()
        except StorageError:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        else:
            return
