"""What of a source belongs to the Bundle: the folder's files without the ignored ones, within the limits.

The same rules for every kind of source, so that an archive or inline files cannot hold what a repository may not.
"""

from collections.abc import Iterable, Mapping

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.ignore import IGNORE_FILE, MAX_IGNORE_BYTES, IgnoreRules
from botyard_operator.fetch.request import FetchRequest
from botyard_operator.fetch.tree import Entry, check_distinct, read_entry

Listed = tuple[str, str, bytes]
"""Mode as git writes it, what the content is found by, and path below the Bundle's folder."""

_LISTED_FACTOR = 20
_LISTED_AT_LEAST = 10_000
"""The whole tree may hold this many times `limits.files` before the ignore rules."""


def listed_within(request: FetchRequest, listing: Iterable[Listed]) -> list[Listed]:
    """Return a listing that has an end.

    Raises:
        FetchError: TooManyFiles.
    """
    most = max(request.max_files * _LISTED_FACTOR, _LISTED_AT_LEAST)
    listed: list[Listed] = []
    for item in listing:
        listed.append(item)
        if len(listed) > most:
            raise too_many(request, len(listed))
    return listed


def ignore_files(listed: Iterable[Listed]) -> dict[str, str]:
    """Return what each ignore file's content is found by, by its folder."""
    return {
        name.decode(errors="replace").rpartition("/")[0]: oid
        for mode, oid, name in listed
        if name.rpartition(b"/")[2] == IGNORE_FILE.encode() and mode.startswith("100")
    }


def check_ignore_size(folder: str, size: int) -> None:
    """Refuse an ignore file that is no such thing.

    Raises:
        FetchError: TooLarge.
    """
    if size > MAX_IGNORE_BYTES:
        raise FetchError(
            Reason.TOO_LARGE, f"{folder or '.'}/{IGNORE_FILE} is larger than {MAX_IGNORE_BYTES} bytes; shorten it."
        )


def ignore_rules(request: FetchRequest, texts: Mapping[str, str]) -> IgnoreRules:
    """Return the rules of the spec and of the source's ignore files, by their folders.

    Raises:
        FetchError: UnsafePath, when a pattern cannot be read.
    """
    try:
        return IgnoreRules(request.ignore, texts)
    except ValueError as error:
        raise FetchError(
            Reason.UNSAFE_PATH, f"a pattern in spec.ignore or a {IGNORE_FILE} cannot be read: {error}."
        ) from error


def select(listed: Iterable[Listed], rules: IgnoreRules) -> list[Entry]:
    """Return the entries that are wanted; a name is only judged once it is.

    Raises:
        FetchError: UnsafePath.
    """
    entries: list[Entry] = []
    for mode, oid, name in listed:
        if rules.ignores(name.decode(errors="surrogateescape")):
            continue
        entry = read_entry(mode, oid, name)
        if entry is not None:
            entries.append(entry)
    return entries


def check_entries(request: FetchRequest, entries: list[Entry], *, source: str) -> None:
    """Hold what is left against the limits.

    Args:
        request: with the limits.
        entries: what the artifact would hold.
        source: names it in messages.

    Raises:
        FetchError: SourceEmpty, TooManyFiles or UnsafePath.
    """
    if not entries:
        raise FetchError(
            Reason.SOURCE_EMPTY,
            f"nothing is left of the folder {request.path or '/'!r} of {source}; check spec.path and spec.ignore.",
        )
    if len(entries) > request.max_files:
        raise too_many(request, len(entries))
    check_distinct(entries)


def check_size(request: FetchRequest, total: int) -> None:
    """Hold the content's size against the limit.

    Raises:
        FetchError: TooLarge.
    """
    if total > request.max_bytes:
        raise FetchError(
            Reason.TOO_LARGE,
            f"the source has {total} bytes, spec.limits.size allows {request.max_bytes}; "
            "leave files out by spec.ignore or raise the limit.",
        )


def too_many(request: FetchRequest, count: int) -> FetchError:
    """Return the error of a source with too many files."""
    return FetchError(
        Reason.TOO_MANY_FILES,
        f"the source has {count} files or more, spec.limits.files allows {request.max_files}; "
        "leave files out by spec.ignore, choose a deeper spec.path or raise the limit.",
    )
