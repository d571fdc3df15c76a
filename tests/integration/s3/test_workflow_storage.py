"""The storage of workflow bots in a bucket: the same as in a folder."""

from pathlib import Path

import pytest

from botyard.workflow.conversation_store import ConversationStore
from botyard.workflow.storage import StorageError, open_storage
from kdcube_ai_app.storage.storage import create_storage_backend
from tests.integration.s3.server import BUCKET, S3Server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    return s3


@pytest.fixture(params=["s3", "file"])
def address(request: pytest.FixtureRequest, bucket: S3Server, tmp_path: Path) -> str:
    return f"s3://{BUCKET}/inner/folder" if request.param == "s3" else f"file://{tmp_path}/storage"


def test_files_are_written_read_listed_and_removed(address: str) -> None:
    storage = create_storage_backend(address)
    storage.write_text("a/b/one.txt", "ÄÖ")
    storage.write_bytes("a/two.bin", b"\x00\x01")
    assert storage.read_text("a/b/one.txt") == "ÄÖ"
    assert storage.read_bytes("/a/two.bin") == b"\x00\x01"
    assert storage.exists("a/two.bin")
    assert not storage.exists("a/three")
    assert storage.list_dir("a") == ["b", "two.bin"]
    assert sorted(storage.list_with_prefix("a")) == ["a/b/one.txt", "a/two.bin"]
    storage.write_text("a/b/one.txt", "again")
    assert storage.read_text("a/b/one.txt") == "again"
    storage.delete("a/b/one.txt")
    storage.delete("a/b/one.txt")
    with pytest.raises(FileNotFoundError):
        storage.read_bytes("a/b/one.txt")


def test_no_path_leads_out(address: str) -> None:
    storage = open_storage(address)
    for path in ("../x", "a/../../x", "", "a\0b"):
        with pytest.raises(StorageError, match="no path inside"):
            storage.write(path, b"x")


async def test_files_of_conversations_lie_in_the_bucket(bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDCUBE_STORAGE_PATH", f"s3://{BUCKET}")
    store = ConversationStore.from_env(tenant="t1", project="p1")
    assert store is not None
    path = await store.put(user_id="u1", conversation_id="c1", turn_id="turn1", name="report.md", content="# Hi")
    assert (bucket.bucket / path).read_text() == "# Hi"
    assert await store.list(user_id="u1", conversation_id="c1") == [path]


def test_what_is_wrong_with_a_bucket_is_said(bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="s3://nowhere does not exist"):
        open_storage("s3://nowhere").write("x", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="refuses the credentials") as caught:
        open_storage(f"s3://{BUCKET}").read("x")
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="cannot be reached"):
        open_storage(f"s3://{BUCKET}").read("x")
    for uri in ("s3://", "s3://user@bucket", "ftp://x"):
        with pytest.raises(StorageError):
            open_storage(uri)
