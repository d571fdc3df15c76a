"""The files of a fetched tree, held against the rules before a single one is read."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from botyard_operator.fetch.errors import FetchError, Reason

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
MAX_LINK_BYTES = 1024
_MAX_LINK_HOPS = 40


class Kind(Enum):
    """What an entry of the artifact is."""

    FILE = "file"
    EXECUTABLE = "executable"
    LINK = "link"


_KINDS = {"100644": Kind.FILE, "100664": Kind.FILE, "100755": Kind.EXECUTABLE, "120000": Kind.LINK}
SUBMODULE = "160000"
"""Mode of a submodule."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or symbolic link of the tree."""

    path: str
    kind: Kind
    oid: str


def read_entry(mode: str, oid: str, name: bytes) -> Entry | None:
    """Return an entry of git's listing, or None for a submodule (whose content is elsewhere).

    Raises:
        FetchError: UnsafePath, for a name that cannot be unpacked safely everywhere.
    """
    if mode == SUBMODULE:
        return None
    path = _checked_path(name)
    kind = _KINDS.get(mode)
    if kind is None:
        raise _unsafe(path, f"has the unknown mode {mode}")
    return Entry(path, kind, oid)


def check_distinct(entries: Iterable[Entry]) -> None:
    """Refuse trees in which a name stands twice, or for a file and a folder at once.

    Raises:
        FetchError: UnsafePath.
    """
    files: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        if entry.path in files:
            raise _unsafe(entry.path, "is in the tree twice")
        files.add(entry.path)
        folder = entry.path
        while (folder := folder.rpartition("/")[0]) and folder not in folders:
            folders.add(folder)
    for path in sorted(files & folders):
        raise _unsafe(path, "is a file and a folder at once")


def check_links(links: Mapping[str, str]) -> None:
    """Refuse symbolic links that lead out of the tree, followed through each other.

    Args:
        links: the target of each link by the link's path.

    Raises:
        FetchError: UnsafePath.
    """
    for path in links:
        _follow(path, links)


def _follow(path: str, links: Mapping[str, str]) -> None:
    """Walk a path name by name as the kernel does, so that `..` behind a link is judged where it really leads."""
    todo = list(reversed(path.split("/")))
    here: list[str] = []
    hops = 0
    while todo:
        name = todo.pop()
        if name in {"", "."}:
            continue
        if name == "..":
            if not here:
                raise _unsafe(
                    path,
                    f"is a symbolic link to {_shown(links[path])}, outside of the Bundle's folder; commit the file "
                    "itself, choose a spec.path that holds both, or list the link in spec.ignore",
                )
            here.pop()
            continue
        here.append(name)
        target = links.get("/".join(here))
        if target is None:
            continue
        hops += 1
        if hops > _MAX_LINK_HOPS:
            raise _unsafe(path, "is a symbolic link that leads to itself")
        if target.startswith("/"):
            raise _unsafe(
                path,
                f"is a symbolic link to the absolute path {_shown(target)}; use a relative one "
                "or list it in spec.ignore",
            )
        here.pop()
        todo.extend(reversed(target.split("/")))


def checked_link_target(path: str, content: bytes) -> str:
    """Return the target of a link.

    Raises:
        FetchError: UnsafePath, when it is no path.
    """
    try:
        target = content.decode()
    except UnicodeDecodeError:
        raise _unsafe(path, "is a symbolic link whose target is not UTF-8") from None
    if not target or len(content) > MAX_LINK_BYTES or _has_controls(target):
        raise _unsafe(path, "is a symbolic link whose target is no path")
    return target


def _checked_path(name: bytes) -> str:
    try:
        path = name.decode()
    except UnicodeDecodeError:
        raise _unsafe(name.decode(errors="backslashreplace"), "is not UTF-8") from None
    if _has_controls(path):
        raise _unsafe(path, "holds control characters")
    if len(name) > MAX_PATH_BYTES:
        raise _unsafe(path, f"is longer than {MAX_PATH_BYTES} bytes")
    for part in path.split("/"):
        if part in {"", ".", ".."} or part.lower() == ".git":
            raise _unsafe(path, f"has the forbidden part {part!r}")
        if len(part.encode()) > MAX_NAME_BYTES:
            raise _unsafe(path, f"has a part longer than {MAX_NAME_BYTES} bytes")
    return path


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(char) in {"Cc", "Cs"} for char in text)


def _shown(path: str) -> str:
    return ascii(path if len(path) <= 200 else f"{path[:200]}…")


def _unsafe(path: str, what: str) -> FetchError:
    return FetchError(Reason.UNSAFE_PATH, f"{_shown(path)} in the source {what}.")
