"""What an archive may become on disk."""

import os
import tarfile
from pathlib import Path

import pytest

from botyard.bundle_fetch.download import BundleFetchError
from botyard.bundle_fetch.unpack import UnpackLimits, unpack
from tests.unit.runtime.bundle_fetch.conftest import archive_of, member, tree


def unpacked(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes], limits: UnpackLimits | None = None) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(archive_of(*members))
    dest = tmp_path / "place" / "bundle"
    unpack(tmp_path / "a.tar.gz", dest, limits=limits or UnpackLimits())
    return dest


def test_files_folders_modes_and_links_arrive(tmp_path: Path) -> None:
    dest = unpacked(
        tmp_path,
        member("bin/run", b"x", mode=0o6755, uid=0, gid=0),
        member("bot.py", b"y", mode=0o600),
        member("latest", type=tarfile.SYMTYPE, linkname="bin/run"),
        member("bin/up", type=tarfile.SYMTYPE, linkname="../bot.py"),
    )
    assert tree(dest) == {"bin/run": "x", "bot.py": "y", "latest": "-> bin/run", "bin/up": "-> ../bot.py"}
    assert (dest / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert (dest / "bot.py").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    "members",
    [
        [member("/etc/x", b"1")],
        [member("../x", b"1")],
        [member("a/../../x", b"1")],
        [member("a\nb", b"1")],
        [member("l", type=tarfile.SYMTYPE, linkname="/etc")],
        [member("l", type=tarfile.SYMTYPE, linkname="../x")],
        [member("l", type=tarfile.SYMTYPE, linkname="l")],
        [
            member("d", type=tarfile.SYMTYPE, linkname="a/b"),
            member("a/b/x", b""),
            member("e", type=tarfile.SYMTYPE, linkname="d/../../../x"),
        ],
        [member("l", type=tarfile.SYMTYPE, linkname="/tmp"), member("l/x", b"1")],
        [member("f", b"1"), member("f/x", b"1")],
        [member("f", b"1"), member("f", b"2")],
        [member("f", b"1"), member("h", type=tarfile.LNKTYPE, linkname="f")],
        [member("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        [member("pipe", type=tarfile.FIFOTYPE)],
    ],
    ids=[
        "absolute",
        "parent",
        "hidden parent",
        "newline",
        "link absolute",
        "link parent",
        "link loop",
        "link through link",
        "write through link",
        "file as folder",
        "twice",
        "hard link",
        "device",
        "pipe",
    ],
)
def test_what_reaches_outside_or_is_strange_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with pytest.raises(BundleFetchError, match="was not made by Botyard"):
        unpacked(tmp_path, *members)
    assert tree(tmp_path / "place") == {}
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("limits", [UnpackLimits(max_bytes=5), UnpackLimits(max_files=1)])
def test_limits_hold(tmp_path: Path, limits: UnpackLimits) -> None:
    with pytest.raises(BundleFetchError, match="unpacks to more than"):
        unpacked(tmp_path, member("a", b"1234"), member("b", b"1234"), limits=limits)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    dest = unpacked(tmp_path, member("bot.py", b"1"))
    with pytest.raises(BundleFetchError):
        unpacked(tmp_path, member("bot.py", b"2"), member("../x", b"1"))
    assert tree(dest) == {"bot.py": "1"}
    assert [path.name for path in dest.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    "content", [b"", b"no archive", archive_of(member("a", os.urandom(1000)))[:300]], ids=["empty", "text", "cut off"]
)
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(BundleFetchError, match="no readable archive"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "bundle", limits=UnpackLimits())


def test_a_mount_point_is_filled_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dest = tmp_path / "place" / "bundle"
    (dest / "old").mkdir(parents=True)
    (dest / "old" / "x").write_text("x")
    (dest / ".botyard-incoming-crashed").mkdir()
    inode = dest.stat().st_ino
    # Mounting needs privileges that tests do not have.
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == dest)
    unpacked(tmp_path, member("bot.py", b"1"))
    assert tree(dest) == {"bot.py": "1"}
    assert [path.name for path in dest.iterdir()] == ["bot.py"]
    assert dest.stat().st_ino == inode
