"""An archive or inline files as a source, inside the fetch child."""

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from botyard_operator.fetch.archive import Written, write_archive
from botyard_operator.fetch.download import download
from botyard_operator.fetch.environment import authority_file, authorization
from botyard_operator.fetch.errors import CONTENT, FetchError, Reason
from botyard_operator.fetch.packages import Package, open_package, unreadable
from botyard_operator.fetch.request import ARCHIVE_NAME, ChildRequest, FetchResult
from botyard_operator.fetch.selection import (
    Listed,
    check_entries,
    check_ignore_size,
    check_size,
    ignore_files,
    ignore_rules,
    listed_within,
    select,
)
from botyard_operator.fetch.tree import MAX_LINK_BYTES, Kind, check_links, checked_link_target
from botyard_operator.fetch.url import redact_url

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError)
"""What the libraries raise for archives that are broken, encrypted or packed in a way that they do not know."""


class Inline(Package):
    """Files from the manifest."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = {name: text.encode() for name, text in files.items()}

    def listing(self) -> Iterator[Listed]:
        """Yield all files."""
        yield from (("100644", name, name.encode()) for name in self._files)

    def size(self, member: str) -> int:
        """Return the size of a file in bytes."""
        return len(self._files[member])

    def open(self, member: str) -> IO[bytes]:
        """Return a file's content."""
        return BytesIO(self._files[member])


def fetch_inline(request: ChildRequest) -> FetchResult:
    """Make the artifact of inline files.

    Raises:
        FetchError: with the documented reason.
    """
    digest = request.pinned
    if digest == request.known_commit:
        return FetchResult(outcome="unchanged", commit=digest, identity=digest)
    try:
        return _result(digest, _archive(request, Inline(request.files), "spec.inline"), "")
    except FetchError as error:
        raise _of_content(error, digest) from error.__cause__


def fetch_archive(request: ChildRequest) -> FetchResult:
    """Download an archive, where it is not known already, and make the artifact of it.

    Raises:
        FetchError: with the documented reason.
    """
    pinned = request.pinned
    if pinned and pinned == request.known_commit:
        return FetchResult(outcome="unchanged", commit=pinned, identity=pinned, url=request.url)
    file = request.work_dir / "download"
    credentials = request.credentials
    header = authorization(credentials)
    downloaded = download(
        request.url,
        file,
        headers={"Authorization": header} if header else {},
        known_etag=request.known_etag,
        ca_file=str(authority_file(request.work_dir, credentials)) if credentials.ca_certificate else None,
        proxy=credentials.proxy,
        most=request.max_download_bytes,
    )
    found = downloaded.digest.removeprefix("sha256:") or request.known_commit
    if found == request.known_commit:
        return FetchResult(outcome="unchanged", commit=found, identity=found, url=request.url, etag=downloaded.etag)
    if pinned and found != pinned:
        raise FetchError(
            Reason.DIGEST_MISMATCH,
            f"{redact_url(request.url)} has the digest sha256:{found}, spec.archive.digest asks for sha256:{pinned}; "
            "write the new one if the change is wanted.",
        )
    try:
        return _result(
            found, _archive(request, open_package(file, request.ref.name), request.ref.name), downloaded.etag
        )
    except FetchError as error:
        raise _of_content(error, found) from error.__cause__


def _result(found: str, written: Written, etag: str) -> FetchResult:
    return FetchResult(
        outcome="fetched",
        commit=found,
        identity=found,
        digest=written.digest,
        size=written.size,
        files=written.files,
        etag=etag,
    )


def _of_content(error: FetchError, found: str) -> FetchError:
    if error.reason in CONTENT:
        error.commit = found
    return error


def _archive(request: ChildRequest, package: Package, name: str) -> Written:
    try:
        return _write(request, package, name)
    except _DAMAGED as error:
        raise unreadable(name, error) from error


def _write(request: ChildRequest, package: Package, name: str) -> Written:
    listed = _below(request, listed_within(request, package.listing()), name)
    texts: dict[str, str] = {}
    for folder, member in ignore_files(listed).items():
        check_ignore_size(folder, package.size(member))
        texts[folder] = package.open(member).read().decode(errors="replace")
    entries = select(listed, ignore_rules(request, texts))
    check_entries(request, entries, source=name)
    check_size(request, sum(package.size(entry.oid) for entry in entries))
    links = {
        entry.path: checked_link_target(entry.path, package.open(entry.oid).read(MAX_LINK_BYTES + 1))
        for entry in entries
        if entry.kind is Kind.LINK
    }
    check_links(links)
    items = ((entry, package.size(entry.oid), links.get(entry.path, "")) for entry in entries)
    return write_archive(request.work_dir / ARCHIVE_NAME, items, package.open)


def _below(request: ChildRequest, listed: list[Listed], name: str) -> list[Listed]:
    """Return what lies below `spec.path`, relative to it."""
    if not request.path.strip("/"):
        return listed
    folder = f"{request.path.strip('/')}/".encode()
    below = [(mode, oid, path.removeprefix(folder)) for mode, oid, path in listed if path.startswith(folder)]
    if not below:
        raise FetchError(
            Reason.PATH_NOT_FOUND, f"the folder {request.path!r} does not exist in {name}; correct spec.path."
        )
    return below
