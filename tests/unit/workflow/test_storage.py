"""Files by path."""

from pathlib import Path

import pytest

from botyard.workflow.storage import FileStorage, StorageError, open_storage


def test_a_file_is_written_whole_and_read_back(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}/deep")
    storage.write("a/b.txt", b"one")
    storage.write("a/b.txt", b"two")
    assert storage.read("a/b.txt") == b"two"
    assert list(storage.walk()) == ["a/b.txt"]
    storage.delete("a/b.txt")
    storage.delete("a/b.txt")
    assert not storage.exists("a/b.txt")


def test_what_fails_half_way_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(tmp_path)
    storage.write("x", b"old")

    def full(number: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        storage.write("x", b"new")
    assert storage.read("x") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "", "/", "a\0b"])
def test_no_path_leads_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(StorageError):
        FileStorage(tmp_path).write(path, b"")


def test_an_address_that_is_not_understood_says_what_is() -> None:
    with pytest.raises(StorageError, match="file"):
        open_storage("ftp://host/x")
    with pytest.raises(StorageError, match="file:///"):
        open_storage("file://folder/x")
