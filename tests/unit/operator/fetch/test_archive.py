"""The archive's bytes depend on the tree alone."""

import io
import tarfile
from pathlib import Path
from typing import IO

import pytest

from botyard_operator.fetch.archive import Written, write_archive
from botyard_operator.fetch.tree import Entry, Kind

TREE = [
    ("bot.py", Kind.FILE, b"print('hello')\n"),
    ("bin/run", Kind.EXECUTABLE, b"#!/bin/sh\n"),
    ("lib/ümlaut.txt", Kind.FILE, "ü".encode()),
    (f"{'deep/' * 30}file", Kind.FILE, b""),
    ("big", Kind.FILE, bytes(range(256)) * 1000),
    ("latest", Kind.LINK, b"bot.py"),
]


def write(path: Path, tree: list[tuple[str, Kind, bytes]]) -> Written:
    contents = {name: content for name, _, content in tree}

    def open_blob(name: str) -> IO[bytes]:
        return io.BytesIO(contents[name])

    return write_archive(
        path,
        [
            (Entry(name, kind, name), len(content), content.decode() if kind is Kind.LINK else "")
            for name, kind, content in tree
        ],
        open_blob,
    )


def test_the_digest_of_a_known_tree_never_changes(tmp_path: Path) -> None:
    """A change here rolls every Bot at the next upgrade: only with a new `archive.FORMAT`, and never by accident."""
    written = write(tmp_path / "a", TREE)
    assert written.digest == "sha256:5427c01f0c574a707f95c9b128c14a13c6b22287c7b8a476e614729f5efb53c9"
    assert written.size == (tmp_path / "a").stat().st_size
    assert written.files == len(TREE)


def test_the_order_of_entries_does_not_matter(tmp_path: Path) -> None:
    assert write(tmp_path / "a", TREE).digest == write(tmp_path / "b", TREE[::-1]).digest


@pytest.mark.parametrize(
    "change",
    [("bot.py", Kind.FILE, b"print('hullo')\n"), ("bot.py", Kind.EXECUTABLE, TREE[0][2]), ("bot2.py", *TREE[0][1:])],
    ids=["content", "mode", "name"],
)
def test_every_change_changes_the_digest(tmp_path: Path, change: tuple[str, Kind, bytes]) -> None:
    assert write(tmp_path / "a", TREE).digest != write(tmp_path / "b", [change, *TREE[1:]]).digest


def test_any_reader_of_tar_and_gzip_gets_the_tree_back(tmp_path: Path) -> None:
    write(tmp_path / "a", TREE)
    with tarfile.open(tmp_path / "a", mode="r:gz") as tar:
        members = {member.name: member for member in tar}
        for name, kind, content in TREE:
            member = members[name]
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            if kind is Kind.LINK:
                assert member.linkname == content.decode()
            else:
                file = tar.extractfile(member)
                assert file is not None
                assert file.read() == content
                assert member.mode == (0o755 if kind is Kind.EXECUTABLE else 0o644)


@pytest.mark.parametrize("size", [0, 1, 65534, 65535, 65536, 131070, 131071])
def test_blocks_of_every_size_survive(tmp_path: Path, size: int) -> None:
    write(tmp_path / "a", [("f", Kind.FILE, b"x" * size)])
    with tarfile.open(tmp_path / "a", mode="r:gz") as tar:
        assert tar.getmember("f").size == size
