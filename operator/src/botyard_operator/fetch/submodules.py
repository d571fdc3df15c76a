"""Submodules: which repositories `.gitmodules` names, read as data and never by `git submodule`."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urljoin

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.remote import GitFailed, Remote
from botyard_operator.fetch.request import Ref
from botyard_operator.fetch.url import GitUrl, parse_git_url

MAX_SUBMODULES = 32
"""Submodules of one source, those inside of others included."""
MAX_DEPTH = 4
"""Submodules inside each other."""
_FILE = ".gitmodules"
_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Submodule:
    """One entry of `.gitmodules`."""

    path: str
    """From the root of the repository that has it."""
    url: GitUrl


def read_submodules(remote: Remote, commit: str, ref: Ref, url: GitUrl, protocols: Collection[str]) -> list[Submodule]:
    """Return the submodules that a commit's `.gitmodules` names.

    Args:
        remote: where the commit was fetched.
        commit: its id.
        ref: what it was fetched by.
        url: address of the repository, which relative ones start from.
        protocols: transports that the installation allows.

    Raises:
        FetchError: SubmoduleInvalid, UrlInvalid or ProtocolNotAllowed.
        GitFailed: git could not fetch the file.
    """
    files = {name: oid for _, _, oid, name in remote.list_tree(f"{commit}:", deep=False) if name == _FILE.encode()}
    oid = files.get(_FILE.encode())
    if oid is None:
        return []
    if remote.fetch_blobs(commit, {oid}, ref, most=_MAX_BYTES)[oid] > _MAX_BYTES:
        raise FetchError(Reason.SUBMODULE_INVALID, f"{_FILE} of {url.clean} has more than {_MAX_BYTES} bytes.")
    try:
        lines = remote.config_of_blob(oid)
    except GitFailed:
        raise FetchError(Reason.SUBMODULE_INVALID, f"{_FILE} of {url.clean} cannot be read; correct it.") from None
    return _parse(lines, url, protocols)


def _parse(lines: list[tuple[str, str]], url: GitUrl, protocols: Collection[str]) -> list[Submodule]:
    entries: dict[str, dict[str, str]] = {}
    for key, value in lines:
        section, _, rest = key.partition(".")
        name, _, field = rest.rpartition(".")
        if section == "submodule" and field in {"path", "url"}:
            entries.setdefault(name, {})[field] = value
    return [
        Submodule(entry["path"], parse_git_url(absolute(url, entry["url"]), protocols=protocols))
        for entry in entries.values()
        if entry.keys() == {"path", "url"}
    ]


def absolute(url: GitUrl, target: str) -> str:
    """Return a submodule's address; one that starts with `./` or `../` is relative to the repository's own."""
    if not target.startswith(("./", "../")):
        return target
    if "://" not in url.clean:
        server, _, path = url.clean.partition(":")
        return f"{server}:{urljoin(f'/{path}/', target).lstrip('/')}"
    return urljoin(f"{url.clean.rstrip('/')}/", target)
