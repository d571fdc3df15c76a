"""Bundles from git: their folders, and how these come to be.

    <root>/<id>__<ref>/<subdir>                 without atomic updates
    <root>/<id>__<ref>__<time>/<subdir>         each update in a folder of its own, so that running requests keep theirs
    <root>/<id>/<subdir>                        where no ref is given

A folder appears whole or not at all: it is cloned beside its place and moved there.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from botyard.workflow.errors import GitBundleError
from botyard.workflow.git_settings import GitSettings, bundles_root, git_environment

TIMEOUT = 120.0
"""Seconds for one command of git."""
LOCK_TIMEOUT = 300.0
"""Seconds to wait for another process that fetches the same bundle."""
LOCKS = ".bundle-locks"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_TIME = re.compile(r"\d{8}-\d{6}(?:-\d+)?")
_COMMIT = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_MARKER = ".botyard-commit"

_in_use: dict[Path, int] = {}
"""Folders that this process uses, with the lock that says so."""


@dataclass(frozen=True, slots=True)
class GitBundlePaths:
    """Where a bundle from git is."""

    repo_root: Path
    bundle_root: Path
    """`repo_root`, or the folder in it that `git_subdir` names."""
    commit: str | None = None
    """The commit that is checked out, where that is known."""


def sanitized(ref: str) -> str:
    """Return a ref or id as a part of a folder's name: letters, digits, `-`, `_`, `.`; `head` where nothing is left."""
    return _UNSAFE.sub("-", ref).strip("-_").lstrip(".") or "head"


def compute_git_bundle_paths(
    *,
    bundle_id: str,
    git_url: str | None = None,
    git_ref: str | None = None,
    git_subdir: str | None = None,
    bundles_root: str | Path | None = None,
    timestamp: str | None = None,
    repo_root: Path | None = None,
    **_: object,
) -> GitBundlePaths:
    """Return where a bundle belongs; nothing is fetched.

    Args:
        bundle_id: Its id.
        git_url: Does not matter.
        git_ref: Branch, tag or commit.
        git_subdir: Folder in the repository.
        bundles_root: Where bundles are cloned; None: as the environment says.
        timestamp: Of an atomic update.
        repo_root: The folder of its repository, where that is known.
        **_: Does not matter.

    Raises:
        GitBundleError: `git_subdir` leads out of the repository.
    """
    if repo_root is not None:
        return _paths(repo_root, git_subdir)
    root = Path(bundles_root) if bundles_root is not None else _root()
    name = "__".join(
        [sanitized(bundle_id), *([sanitized(git_ref)] if git_ref else []), *([timestamp] if timestamp else [])]
    )
    return _paths(root / name, git_subdir)


def ensure_git_bundle(
    *,
    bundle_id: str,
    git_url: str,
    git_ref: str | None = None,
    git_subdir: str | None = None,
    bundles_root: str | Path | None = None,
    atomic: bool | None = None,
    refresh: bool = True,
    **_: object,
) -> GitBundlePaths:
    """Have a bundle cloned, and where its ref moved, cloned again. Blocks; processes that do the same take turns.

    Args:
        bundle_id: Its id.
        git_url: The repository.
        git_ref: Branch, tag or commit; None: the remote's default branch. A tag or commit stays what it is.
        git_subdir: Folder in it.
        bundles_root: Where bundles are cloned; None: as the environment says.
        atomic: Each update gets a folder of its own; None: as the environment says.
        refresh: Ask the remote whether there is something newer, where the bundle is there already.
        **_: Does not matter.

    Raises:
        GitBundleError: It cannot be had; what was there stays.
    """
    settings = GitSettings.from_env()
    root = Path(bundles_root) if bundles_root is not None else settings.root
    atomic = settings.atomic if atomic is None else atomic
    _check(git_url, git_ref)
    plain = compute_git_bundle_paths(bundle_id=bundle_id, git_ref=git_ref, bundles_root=root).repo_root
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GitBundleError(f"bundle {bundle_id!r}: cannot make {root}: {error.strerror}") from error
    with _locked(root, plain.name):
        newest = _newest(plain) if atomic else (plain if plain.is_dir() else None)
        if newest is not None and (not refresh or _is_current(newest, git_url, git_ref)):
            return _checked(newest, git_subdir)
        with tempfile.TemporaryDirectory(prefix=f".{plain.name}-", dir=root) as made:
            clone = Path(made) / "clone"
            commit = _clone(clone, git_url, git_ref, settings.depth)
            (clone / ".git" / _MARKER).write_text(commit, encoding="utf-8")
            _checked(clone, git_subdir)
            target = _free(plain) if atomic else plain
            if target.exists():
                target.rename(Path(made) / "former")
            clone.rename(target)
        if atomic:
            cleanup(plain, keep=settings.keep, ttl_hours=settings.ttl_hours, active={target})
        return _checked(target, git_subdir)


def existing(bundle_id: str, git_ref: str | None) -> Path | None:
    """Return the folder of a bundle's repository that is there already: the newest one, or None."""
    plain = compute_git_bundle_paths(bundle_id=bundle_id, git_ref=git_ref).repo_root
    if GitSettings.from_env().atomic:
        return _newest(plain)
    return plain if plain.is_dir() else None


def cleanup(plain: Path, *, keep: int, ttl_hours: float = 0.0, active: Collection[Path] = ()) -> list[Path]:
    """Remove old folders of a bundle that no process uses.

    Args:
        plain: Its folder without a time.
        keep: The newest ones that stay.
        ttl_hours: Those that stay go, too, when they are older; 0: never.
        active: Folders that stay in any case.

    Returns:
        What was removed.
    """
    removed = []
    oldest = time.time() - ttl_hours * 3600 if ttl_hours > 0 else 0.0
    for index, folder in enumerate(sorted(_dated(plain), key=_order, reverse=True)):
        is_old = index >= keep or (index > 0 and folder.stat().st_mtime < oldest)
        if is_old and not any(_within(path, folder) for path in active) and _unused(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def use(repo_root: Path) -> None:
    """Say that this process uses a bundle's folder: nobody removes it as long as the process lives."""
    if repo_root in _in_use:
        return
    handle = _open_lock(repo_root.parent, f"{repo_root.name}.use")
    fcntl.flock(handle, fcntl.LOCK_SH)
    _in_use[repo_root] = handle


def release(repo_root: Path) -> None:
    """Say that this process uses it no more."""
    if (handle := _in_use.pop(repo_root, None)) is not None:
        os.close(handle)


def commit_of(repo_root: Path) -> str | None:
    """Return the commit that is checked out in a bundle's folder."""
    try:
        return (repo_root / ".git" / _MARKER).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def redacted(text: str) -> str:
    """Return a text without the credentials of URLs in it."""
    return _USER_INFO.sub("***@", text)


def _root() -> Path:
    return bundles_root()


def _paths(repo_root: Path, git_subdir: str | None, commit: str | None = None) -> GitBundlePaths:
    inner = (git_subdir or "").strip().strip("/")
    if Path(git_subdir or "").is_absolute() or ".." in Path(inner).parts:
        raise GitBundleError(f"git_subdir {git_subdir!r} leads out of the repository")
    return GitBundlePaths(repo_root, repo_root / inner if inner else repo_root, commit)


def _checked(repo_root: Path, git_subdir: str | None) -> GitBundlePaths:
    paths = _paths(repo_root, git_subdir, commit_of(repo_root))
    if not paths.bundle_root.exists():
        raise GitBundleError(f"the repository has no folder {git_subdir!r}")
    if not _within(paths.bundle_root.resolve(), repo_root.resolve()):
        raise GitBundleError(f"git_subdir {git_subdir!r} leads out of the repository")
    return paths


def _check(git_url: str, git_ref: str | None) -> None:
    if git_url.startswith("-") or "::" in git_url.partition("/")[0]:
        raise GitBundleError(f"git_url {redacted(git_url)!r} is no address of a repository")
    if git_ref is not None and (git_ref.startswith("-") or re.search(r"[\s~^:?*\[\\\x00-\x1f]|\.\.|@\{", git_ref)):
        raise GitBundleError(f"git_ref {git_ref!r} is no branch, tag or commit")


def _clone(target: Path, url: str, ref: str | None, depth: int | None) -> str:
    """Clone and check out; return the commit."""
    target.mkdir()
    _git(target, "init", "--quiet")
    limited = ["--depth", str(depth)] if depth else []
    found = _remote(target, url, ref)
    try:
        # By address: a remote's would stay in the clone, with the credentials in it.
        _git(target, "fetch", "--quiet", "--no-tags", *limited, "--", url, found[0] if found else str(ref))
        wanted = "FETCH_HEAD"
    except GitBundleError:
        # A short hash, or a commit that the server does not hand out by itself.
        if found is not None or not re.fullmatch(r"[0-9a-fA-F]{4,64}", str(ref)):
            raise
        _git(target, "fetch", "--quiet", "--tags", "--", url, "+refs/heads/*:refs/remotes/origin/*")
        wanted = str(ref)
    _git(target, "checkout", "--quiet", "--detach", wanted)
    return _git(target, "rev-parse", "HEAD").strip()


def _remote(folder: Path, url: str, ref: str | None) -> tuple[str, str] | None:
    """Return the full name and the commit of a branch (first) or tag at the remote; None where it has none."""
    patterns = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}", ref]
    lines = _git(folder, "ls-remote", "--", url, *patterns).splitlines()
    found = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
    for name in patterns:
        if name in found:
            return name, found.get(f"{name}^{{}}", found[name])
    return None


def _is_current(repo_root: Path, url: str, ref: str | None) -> bool:
    """Tell whether a folder holds what the remote has under this ref now."""
    commit = commit_of(repo_root)
    if commit is None:
        return False
    if ref is not None and _COMMIT.fullmatch(ref):
        return commit.lower() == ref.lower()
    found = _remote(repo_root, url, ref)
    if found is None:
        # A short hash: what it means does not change.
        return ref is not None and commit.startswith(ref.lower())
    return found[1] == commit


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, env=git_environment(), capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise GitBundleError(f"git {arguments[0]} did not end within {TIMEOUT:g} s") from None
    except OSError as error:
        raise GitBundleError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        raise GitBundleError(redacted(f"git {arguments[0]} failed: {done.stderr.strip() or done.returncode}"))
    return done.stdout


def _dated(plain: Path) -> list[Path]:
    head = f"{plain.name}__"
    if not plain.parent.is_dir():
        return []
    return [
        path
        for path in plain.parent.iterdir()
        if path.name.startswith(head) and _TIME.fullmatch(path.name[len(head) :]) and path.is_dir()
    ]


def _order(folder: Path) -> tuple[str, int]:
    date, clock, *again = folder.name.rpartition("__")[2].split("-")
    return f"{date}-{clock}", int(again[0]) if again else 0


def _newest(plain: Path) -> Path | None:
    return max(_dated(plain), key=_order, default=None)


def _free(plain: Path) -> Path:
    """Return a folder for an update of this moment; further ones in the same second are numbered."""
    name = f"{plain.name}__{datetime.now(UTC):%Y%m%d-%H%M%S}"
    same = [_order(folder)[1] for folder in _dated(plain) if folder.name.startswith(name)]
    return plain.parent / (f"{name}-{max(same) + 1}" if same else name)


def _within(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _unused(folder: Path) -> bool:
    if folder in _in_use:
        return False
    handle = _open_lock(folder.parent, f"{folder.name}.use")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@contextlib.contextmanager
def _locked(root: Path, name: str) -> Iterator[None]:
    handle = _open_lock(root, f"{name}.lock")
    try:
        end = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise GitBundleError(f"another process has been fetching {name} for {LOCK_TIMEOUT:g} s") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _open_lock(root: Path, name: str) -> int:
    folder = root / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
