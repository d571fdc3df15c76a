"""The files inside of a downloaded zip, wheel or tar.gz, or a single Python file: one listing for all.

Names, links and sizes are what the archive claims until selection has judged them; nothing is unpacked to the disk.
"""

import stat
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.selection import Listed

_FILE, _EXECUTABLE, _LINK, _OTHER = "100644", "100755", "120000", "160777"
_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"
_EMPTY_ZIP = b"PK\x05\x06"


class Package(ABC):
    """An opened archive; members are found by their number."""

    @abstractmethod
    def listing(self) -> Iterator[Listed]:
        """Yield what is in it, folders left out."""

    @abstractmethod
    def size(self, member: str) -> int:
        """Return a member's size in bytes, as the archive claims it."""

    @abstractmethod
    def open(self, member: str) -> IO[bytes]:
        """Return a member's content; of a link its target."""


def open_package(path: Path, name: str) -> Package:
    """Open a downloaded file by its content.

    Args:
        path: the file.
        name: what its URL calls it.

    Raises:
        FetchError: ArchiveUnreadable.
    """
    with path.open("rb") as content:
        magic = content.read(4)
    try:
        if magic in {_ZIP, _EMPTY_ZIP}:
            return _Zip(path)
        if magic.startswith(_GZIP):
            return _Tar(path)
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise unreadable(name, error) from error
    if name.endswith(".py"):
        return _Single(path, name)
    raise FetchError(
        Reason.ARCHIVE_UNREADABLE,
        f"{name} is no zip, wheel or tar.gz, nor is it called .py; check spec.archive.url (a login page, perhaps?).",
    )


def unreadable(name: str, error: Exception) -> FetchError:
    """Return the error of an archive that is damaged."""
    return FetchError(Reason.ARCHIVE_UNREADABLE, f"{name} is damaged: {error!s:.200}; publish it anew.")


class _Zip(Package):
    """A zip file or wheel."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._members = [info for info in self._zip.infolist() if not info.is_dir()]

    def listing(self) -> Iterator[Listed]:
        for number, info in enumerate(self._members):
            unix = info.external_attr >> 16
            mode = _FILE
            if stat.S_ISLNK(unix):
                mode = _LINK
            elif unix and not stat.S_ISREG(unix) and stat.S_IFMT(unix):
                mode = _OTHER
            elif unix & stat.S_IXUSR:
                mode = _EXECUTABLE
            yield mode, str(number), info.orig_filename.encode(errors="surrogateescape")

    def size(self, member: str) -> int:
        return self._members[int(member)].file_size

    def open(self, member: str) -> IO[bytes]:
        return self._zip.open(self._members[int(member)])


class _Tar(Package):
    """A tar.gz file."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, mode="r:gz", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
        self._members: list[tarfile.TarInfo] = []

    def listing(self) -> Iterator[Listed]:
        # One by one, so that a file without end is left once it holds too much.
        for info in self._tar:
            if info.isdir():
                continue
            self._members.append(info)
            mode = _LINK if info.issym() else _OTHER if not info.isreg() else _FILE
            if mode == _FILE and info.mode & stat.S_IXUSR:
                mode = _EXECUTABLE
            name = info.name.encode(errors="surrogateescape")
            yield mode, str(len(self._members) - 1), name.removeprefix(b"./")

    def size(self, member: str) -> int:
        info = self._members[int(member)]
        return len(info.linkname.encode(errors="surrogateescape")) if info.issym() else info.size

    def open(self, member: str) -> IO[bytes]:
        info = self._members[int(member)]
        if info.issym():
            return BytesIO(info.linkname.encode(errors="surrogateescape"))
        content = self._tar.extractfile(info)
        assert content is not None
        return content


class _Single(Package):
    """One Python file."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def listing(self) -> Iterator[Listed]:
        yield _FILE, "0", self._name.encode()

    def size(self, member: str) -> int:
        return self._path.stat().st_size

    def open(self, member: str) -> IO[bytes]:
        return self._path.open("rb")
