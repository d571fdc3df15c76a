"""The fetch child: `python -m botyard_operator.fetch.child FD`, a request on stdin, one report on descriptor FD.

It runs in its own session and folder, limits itself, and leaves either a complete archive or nothing behind.
"""

import errno
import os
import sys
import time
import traceback
from pathlib import Path

from botyard_operator.fetch import failures
from botyard_operator.fetch.archive import Written, write_archive
from botyard_operator.fetch.environment import authorization, git_environment, secrets_of
from botyard_operator.fetch.errors import CONTENT, FetchError, Reason
from botyard_operator.fetch.ignore import IGNORE_FILE, MAX_IGNORE_BYTES, IgnoreRules
from botyard_operator.fetch.limits import apply_limits
from botyard_operator.fetch.redirect import Answer, ask, redirected_url
from botyard_operator.fetch.remote import GitFailed, Remote
from botyard_operator.fetch.request import ARCHIVE_NAME, ChildRequest, FetchResult, hash_of
from botyard_operator.fetch.tree import (
    MAX_LINK_BYTES,
    Entry,
    Kind,
    check_distinct,
    check_links,
    checked_link_target,
    read_entry,
)
from botyard_operator.fetch.url import GitUrl, parse_git_url, redact

_LISTED_FACTOR = 20
_LISTED_AT_LEAST = 10_000
"""The whole tree may hold this many times `limits.files` before the ignore rules."""
_REDIRECTS = 2
_REDIRECT_TIMEOUT = 10.0


def run(request: ChildRequest) -> FetchResult:
    """Fetch once, in this process.

    Raises:
        FetchError: with the documented reason.
    """
    url = parse_git_url(request.url, protocols=request.protocols)
    ca_file = None
    if request.credentials.ca_certificate:
        ca_file = request.work_dir / "ca.crt"
        ca_file.write_text(request.credentials.ca_certificate)
    for _ in range(_REDIRECTS + 1):
        try:
            return _fetch(request, url, ca_file)
        except GitFailed as failure:
            if not failures.was_redirected(failure.stderr) or url.protocol == "ssh":
                raise failures.from_stderr(failure.stderr, url=url.clean) from failure
            url = redirected_url(url, _ask(request, url, ca_file).location, protocols=request.protocols)
        except FetchError as error:
            # To git a page that has nothing to do with it looks like an empty repository of its oldest protocol.
            empty = error.reason is Reason.REPOSITORY_EMPTY and url.protocol in {"http", "https"}
            if empty and not _ask(request, url, ca_file).is_git:
                raise FetchError(
                    Reason.REMOTE_UNREADABLE,
                    f"{url.clean} is no git repository that is served over HTTP; check spec.git.url.",
                ) from error
            raise
    raise FetchError(Reason.REDIRECT_REFUSED, f"{url.clean}: the server redirects again and again.")


def _ask(request: ChildRequest, url: GitUrl, ca_file: Path | None) -> Answer:
    return ask(
        url,
        authorization=authorization(request.credentials),
        ca_file=str(ca_file) if ca_file else None,
        timeout=_REDIRECT_TIMEOUT,
    )


def _hit_size_limit(request: ChildRequest) -> bool:
    """Return whether git filled a file up to the limit; the signal that ends it then is not in its message."""
    packs = (request.work_dir / "repository.git" / "objects" / "pack").glob("*")
    return any(path.stat().st_size >= request.max_download_bytes for path in packs)


def _fetch(request: ChildRequest, url: GitUrl, ca_file: Path | None) -> FetchResult:
    home = request.work_dir / "home"
    home.mkdir(exist_ok=True)
    env = git_environment(url, home=home, protocols=request.protocols, credentials=request.credentials, ca_file=ca_file)
    remote = Remote(url.clean, request.work_dir / "repository.git", env=env, secrets=secrets_of(request.credentials))
    found = request.ref.name.lower() if request.ref.kind == "commit" else remote.resolve(request.ref)
    if found == request.known_commit:
        return FetchResult(outcome="unchanged", commit=found, url=url.clean)
    try:
        commit = remote.fetch(request.ref, object_format=hash_of(found))
        written = _archive(request, remote, commit)
    except GitFailed as failure:
        if failures.was_redirected(failure.stderr):
            raise
        if _hit_size_limit(request):
            raise FetchError(
                Reason.TOO_LARGE,
                commit=found,
                message=f"{url.clean} sends more than {request.max_download_bytes} bytes, the installation's limit; "
                "use a smaller repository.",
            ) from failure
        raise _of_commit(failures.from_stderr(failure.stderr, url=url.clean), found) from failure
    except FetchError as error:
        raise _of_commit(error, found) from error.__cause__
    return FetchResult(
        outcome="fetched",
        commit=commit,
        digest=written.digest,
        size=written.size,
        files=written.files,
        url=url.clean,
    )


def _of_commit(error: FetchError, commit: str) -> FetchError:
    """Note the commit whose content is refused, so that the caller need not fetch it again to hear the same."""
    if error.reason in CONTENT:
        error.commit = commit
    return error


def _archive(request: ChildRequest, remote: Remote, commit: str) -> Written:
    tree = _find_tree(request, remote, commit)
    entries = _select(request, remote, commit, tree, _list(request, remote, tree))
    if not entries:
        raise FetchError(
            Reason.SOURCE_EMPTY,
            f"nothing is left of the folder {request.path or '/'!r} of {remote.url}; check spec.path and spec.ignore.",
        )
    if len(entries) > request.max_files:
        raise _too_many(request, len(entries))
    check_distinct(entries)
    remote.fetch_blobs(commit, tree, {entry.oid for entry in entries}, request.ref)
    sizes = remote.sizes(entry.oid for entry in entries)
    total = sum(sizes[entry.oid] for entry in entries)
    if total > request.max_bytes:
        raise FetchError(
            Reason.TOO_LARGE,
            f"the source has {total} bytes, spec.limits.size allows {request.max_bytes}; "
            "leave files out by spec.ignore or raise the limit.",
        )
    blobs = remote.open_blobs()
    links: dict[str, str] = {}
    for entry in entries:
        if entry.kind is Kind.LINK:
            content = blobs.open(entry.oid).read(MAX_LINK_BYTES + 1) if sizes[entry.oid] <= MAX_LINK_BYTES else b""
            links[entry.path] = checked_link_target(entry.path, content)
    check_links(links)
    return write_archive(
        request.work_dir / ARCHIVE_NAME,
        ((entry, sizes[entry.oid], links.get(entry.path, "")) for entry in entries),
        blobs.open,
    )


def _find_tree(request: ChildRequest, remote: Remote, commit: str) -> str:
    tree = f"{commit}:{request.path.strip('/')}"
    kind = remote.object_type(tree)
    if kind != "tree":
        what = "is a file" if kind == "blob" else "is a submodule" if kind == "commit" else "does not exist"
        raise FetchError(
            Reason.PATH_NOT_FOUND,
            f"the folder {request.path!r} {what} in {remote.url} at {commit[:12]}; correct spec.path.",
        )
    return tree


def _list(request: ChildRequest, remote: Remote, tree: str) -> list[tuple[str, str, bytes]]:
    most = max(request.max_files * _LISTED_FACTOR, _LISTED_AT_LEAST)
    entries: list[tuple[str, str, bytes]] = []
    for mode, _, oid, name in remote.list_tree(tree):
        entries.append((mode, oid, name))
        if len(entries) > most:
            raise _too_many(request, len(entries))
    return entries


def _select(
    request: ChildRequest, remote: Remote, commit: str, tree: str, listed: list[tuple[str, str, bytes]]
) -> list[Entry]:
    """Apply the ignore rules; a name is only judged once it is wanted."""
    ignore_files = {
        name.decode(errors="replace").rpartition("/")[0]: oid
        for mode, oid, name in listed
        if name.rpartition(b"/")[2] == IGNORE_FILE.encode() and mode.startswith("100")
    }
    remote.fetch_blobs(commit, tree, set(ignore_files.values()), request.ref)
    sizes = remote.sizes(ignore_files.values()) if ignore_files else {}
    blobs = remote.open_blobs()
    texts: dict[str, str] = {}
    for folder, oid in ignore_files.items():
        if sizes[oid] > MAX_IGNORE_BYTES:
            raise FetchError(
                Reason.TOO_LARGE, f"{folder or '.'}/{IGNORE_FILE} is larger than {MAX_IGNORE_BYTES} bytes; shorten it."
            )
        texts[folder] = blobs.open(oid).read(sizes[oid]).decode(errors="replace")
    try:
        rules = IgnoreRules(request.ignore, texts)
    except ValueError as error:
        raise FetchError(
            Reason.UNSAFE_PATH, f"a pattern in spec.ignore or a {IGNORE_FILE} cannot be read: {error}."
        ) from error
    entries: list[Entry] = []
    for mode, oid, name in listed:
        if rules.ignores(name.decode(errors="surrogateescape")):
            continue
        entry = read_entry(mode, oid, name)
        if entry is not None:
            entries.append(entry)
    return entries


def _too_many(request: ChildRequest, count: int) -> FetchError:
    return FetchError(
        Reason.TOO_MANY_FILES,
        f"the source has {count} files or more, spec.limits.files allows {request.max_files}; "
        "leave files out by spec.ignore, choose a deeper spec.path or raise the limit.",
    )


def _from_os_error(error: OSError) -> FetchError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FetchError(
            Reason.DISK_FULL, "the operator's artifact volume is full; enlarge it or retain fewer revisions."
        )
    if error.errno == errno.EFBIG:
        return FetchError(Reason.TOO_LARGE, "the archive exceeds the installation's limit on downloads.")
    return FetchError(Reason.FETCH_FAILED, f"the fetch process failed: {error.strerror}.")


def main(report_fd: int) -> int:
    """Read a request from stdin, fetch, report; return the exit code (0 also for a reported failure)."""
    request = ChildRequest.model_validate_json(sys.stdin.buffer.read())
    apply_limits(
        cpu_seconds=request.cpu_seconds,
        memory_bytes=request.memory_bytes,
        file_bytes=request.max_download_bytes,
        wall_seconds=request.timeout_seconds,
    )
    started = time.monotonic()
    try:
        result = run(request)
    except FetchError as error:
        result = FetchResult.from_error(error)
    except MemoryError:
        result = FetchResult.from_error(FetchError(Reason.OUT_OF_MEMORY, "the fetch ran out of memory."))
    except OSError as error:
        result = FetchResult.from_error(_from_os_error(error))
    except Exception as error:
        traceback.print_exc()
        result = FetchResult.from_error(
            FetchError(Reason.FETCH_FAILED, f"the fetch failed unexpectedly ({type(error).__name__}); see the log.")
        )
    clean = redact(result.message, secrets_of(request.credentials))
    with os.fdopen(report_fd, "wb") as report:
        report.write(result.model_copy(update={"message": clean}).model_dump_json().encode())
    print(f"{result.outcome} after {time.monotonic() - started:.3f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
