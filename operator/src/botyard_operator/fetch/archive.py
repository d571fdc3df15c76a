"""The archive of a source: the same tree gives the same bytes, on every machine and with every library version.

Sorted entries, no times, no owners, fixed modes. The gzip wrapper stores instead of compressing: compressed bytes
differ between zlib versions and implementations, so an upgrade of the operator's image would change the digest of an
unchanged source and roll every bot. Stored content also unpacks to what was downloaded, never to a surprise.
"""

import hashlib
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from botyard_operator.fetch.tree import Entry, Kind

FORMAT = "1"
"""Changes whenever the bytes for an unchanged tree do."""

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_BLOCK = 0xFFFF


@dataclass(frozen=True)
class Written:
    """An archive on disk."""

    digest: str
    """`sha256:<hex>`."""
    size: int
    files: int


class StoredGzip(io.RawIOBase):
    """A write-only gzip stream of uncompressed deflate blocks, whose bytes depend on the content alone."""

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out = out
        self._buffer = bytearray()
        self._crc = 0
        self._length = 0
        self.digest = hashlib.sha256()
        self.size = 0
        self._emit(_GZIP_HEADER)

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how much content was written; tarfile asks for it once."""
        return self._length

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Add content; blocks are cut at fixed offsets whatever the pieces."""
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        self._buffer += data
        # The last block is only known at the end, so one full block is always held back.
        while len(self._buffer) > _BLOCK:
            self._block(bytes(self._buffer[:_BLOCK]), last=False)
            del self._buffer[:_BLOCK]
        return len(data)

    def finish(self) -> None:
        """Write the last block and the trailer; the underlying file stays open."""
        self._block(bytes(self._buffer), last=True)
        self._emit(struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))

    def _block(self, content: bytes, *, last: bool) -> None:
        self._emit(struct.pack("<BHH", last, len(content), len(content) ^ 0xFFFF))
        self._emit(content)

    def _emit(self, data: bytes) -> None:
        self._out.write(data)
        self.digest.update(data)
        self.size += len(data)


def write_archive(
    path: Path, entries: Iterable[tuple[Entry, int, str]], open_blob: Callable[[str], IO[bytes]]
) -> Written:
    """Write the archive of a tree and flush it to disk.

    Args:
        path: where to; must not exist.
        entries: each entry with its size in bytes and, for a link, its target.
        open_blob: returns the content of an entry's blob.

    Raises:
        OSError: the disk is full or the file-size limit is reached.
    """
    files = 0
    with path.open("xb") as out:
        gzip = StoredGzip(out)
        with tarfile.open(fileobj=gzip, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
            for entry, size, target in sorted(entries, key=lambda item: item[0].path.encode()):
                info = tarfile.TarInfo(entry.path)
                info.mode = 0o755 if entry.kind is Kind.EXECUTABLE else 0o644
                if entry.kind is Kind.LINK:
                    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
                    tar.addfile(info)
                else:
                    info.size = size
                    tar.addfile(info, open_blob(entry.oid))
                files += 1
        gzip.finish()
        out.flush()
        os.fsync(out.fileno())
        return Written(digest=f"sha256:{gzip.digest.hexdigest()}", size=gzip.size, files=files)
