"""The remote, seen through GitPython: what a ref names now, and its tree and blobs in a throw-away repository.

There is never a work tree: names and content are read from git's objects, so neither checkout filters nor hooks nor
symbolic links of the repository get to act.
"""

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO, cast

from git.cmd import Git
from git.exc import GitCommandError, GitCommandNotFound

from botyard_operator.fetch import failures
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Ref
from botyard_operator.fetch.url import redact
from botyard_operator.fetch.versions import Found, find_ref

TARGET = "refs/botyard/target"
"""Where what was fetched is kept."""
_DEEPENING = (50, 500, 5000)
_FILTER = "--filter=blob:none"
_LIST_BUFFER = 1 << 16
_MAX_LIST_BYTES = 256 * 1024 * 1024
_SHOWN_REFS = 5


class GitFailed(Exception):
    """A git command failed; `stderr` is free of credentials."""

    def __init__(self, stderr: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr


class Remote:
    """A remote repository and the local one that its objects are fetched into."""

    def __init__(self, url: str, directory: Path, *, env: Mapping[str, str], secrets: Iterable[str]) -> None:
        """Prepare; nothing is contacted yet.

        Args:
            url: the address as git gets it, without credentials.
            directory: a folder for the local repository; created when something is fetched.
            env: environment for git, on top of the process's own.
            secrets: strings that must not appear in any message.
        """
        self.url = url
        self._directory = directory
        self._env = dict(env)
        self._secrets = tuple(secrets)
        self._partial = False

    def resolve(self, ref: Ref) -> Found:
        """Return what a branch, tag or range means on the server, by one ls-remote.

        Raises:
            FetchError: RefNotFound, RepositoryEmpty or RangeInvalid.
            GitFailed: git could not ask.
        """
        wanted = ref.full_name
        found = find_ref(ref, self._ls_remote(wanted, f"{wanted}^{{}}"))
        if found:
            return found
        everything = self._ls_remote()
        if not everything:
            raise FetchError(
                Reason.REPOSITORY_EMPTY, f"{self.url} has no commit yet; push the branch {ref.name!r} to it."
            )
        prefix = "refs/tags/" if ref.kind == "semver" else wanted.removesuffix(ref.name)
        there = sorted(name.removeprefix(prefix) for name in everything if name.startswith(prefix))
        names = ", ".join(name for name in there if not name.endswith("^{}")) if len(there) <= _SHOWN_REFS else ""
        raise FetchError(
            Reason.REF_NOT_FOUND,
            f"{self.url} has no {'tag in the range' if ref.kind == 'semver' else ref.kind} {ref.name!r}; "
            "check spec.git.ref" + (f" (there: {names})." if names else "."),
        )

    def fetch(self, ref: Ref, *, object_format: str = "sha1") -> str:
        """Fetch the commit and trees that `ref` names, shallow and if the server can without blobs.

        Args:
            ref: what to fetch.
            object_format: the remote's hash: `sha1` or `sha256`.

        Returns:
            The id of the commit.

        Raises:
            FetchError: RefNotFound.
            GitFailed: git could not fetch.
        """
        self._init(object_format)
        if ref.kind == "commit":
            return self._fetch_commit(ref.name.lower())
        self._fetch("--depth=1", _FILTER, refspecs=[f"+{ref.full_name}:{TARGET}"])
        self._partial = True
        return self._commit_of(TARGET, ref.name)

    def fetch_blobs(self, commit: str, tree: str, blobs: set[str], ref: Ref) -> None:
        """Fetch those of `blobs` that the filter left out, in one round trip."""
        if not self._partial:
            return
        listed = self._run("rev-list", "--objects", "--no-object-names", "--missing=print", tree)
        missing = sorted(blobs & {line[1:] for line in listed.splitlines() if line.startswith("?")})
        if not missing:
            return
        try:
            self._fetch(_FILTER, refspecs=missing, config=["fetch.negotiationAlgorithm=noop"])
        except GitFailed as failure:
            if not failures.refuses_commit(failure.stderr):
                raise
            # A server that filters but does not hand out single objects: take the whole commit.
            target = f"+{commit}:{TARGET}" if ref.kind == "commit" else f"+{ref.full_name}:{TARGET}"
            self._fetch("--depth=1", "--refetch", "--no-filter", refspecs=[target])

    def object_type(self, name: str) -> str:
        """Return `tree`, `blob`, `commit` or, when there is no such object, an empty string."""
        try:
            return self._run("cat-file", "-t", name).strip()
        except GitFailed:
            return ""

    def with_environment(self, **variables: str) -> dict[str, str]:
        """Add variables to git's environment from now on, and return the whole of it."""
        self._env |= variables
        return {**os.environ, **self._env}

    def text_of(self, name: str, most: int) -> str:
        """Return a commit or tag as it is stored, at most this many characters."""
        kind = self.object_type(name)
        return self._run("cat-file", kind, name)[:most] if kind in {"commit", "tag"} else ""

    def verify(self, kind: str, name: str, config: Iterable[str]) -> str:
        """Return what git says about the signature of a commit or tag.

        Args:
            kind: `commit` or `tag`.
            name: of the object.
            config: settings that say which keys count.

        Raises:
            GitFailed: it has none, or none that holds.
        """
        settings = [part for pair in config for part in ("-c", pair)]
        command = ["git", *settings, f"verify-{kind}", "--raw", name]
        try:
            _, out, err = self._git().execute(command, with_extended_output=True)
        except GitCommandError as error:
            raise GitFailed(self._stderr(error)) from None
        return f"{out}\n{err}"

    def config_of_blob(self, oid: str) -> list[tuple[str, str]]:
        """Return the keys and values of a blob in the format of git's configuration.

        Raises:
            GitFailed: it is in no such format.
        """
        pairs = self._run("config", "--blob", oid, "--no-includes", "--list", "--null").split("\0")
        return [(key, value) for key, newline, value in (pair.partition("\n") for pair in pairs) if newline]

    def list_tree(self, tree: str, *, deep: bool = True) -> Iterator[tuple[str, str, str, bytes]]:
        """Yield (mode, type, id, name) of what is in a tree, as it is read, without ever holding it all.

        Args:
            tree: the tree.
            deep: everything below it too, instead of folders.
        """
        recursive = ["-r"] if deep else []
        process = self._git().execute(["git", "ls-tree", *recursive, "-z", tree], as_process=True)
        stdout = cast("IO[bytes]", process.stdout)
        rest, seen = b"", 0
        while block := stdout.read(_LIST_BUFFER):
            seen += len(block)
            if seen > _MAX_LIST_BYTES:
                raise FetchError(Reason.TOO_MANY_FILES, f"{self.url}: the listing of the tree has no end.")
            *records, rest = (rest + block).split(b"\0")
            for record in records:
                meta, _, name = record.partition(b"\t")
                mode, kind, oid = meta.decode("ascii").split(" ")
                yield mode, kind, oid, name
        try:
            process.wait()
        except GitCommandError as error:
            raise GitFailed(self._stderr(error)) from None

    def sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        """Return the sizes of blobs in bytes, without reading their content."""
        with tempfile.TemporaryFile(dir=self._directory) as stdin:
            stdin.write("".join(f"{oid}\n" for oid in sorted(set(blobs))).encode())
            stdin.seek(0)
            out = self._run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=stdin)
        sizes: dict[str, int] = {}
        for line in out.splitlines():
            oid, _, size = line.partition(" ")
            if not size.isdigit():
                raise FetchError(Reason.REMOTE_UNREADABLE, f"{self.url}: the server left out the object {oid}.")
            sizes[oid] = int(size)
        return sizes

    def open_blobs(self) -> "BlobReader":
        """Return a reader of blobs that are here."""
        return BlobReader(self._git())

    def _ls_remote(self, *patterns: str) -> dict[str, str]:
        out = self._run("ls-remote", "--quiet", "--", self.url, *patterns, here=False)
        refs = {}
        for line in out.splitlines():
            oid, _, name = line.partition("\t")
            refs[name] = oid
        return refs

    def _fetch_commit(self, commit: str) -> str:
        try:
            self._fetch("--depth=1", _FILTER, refspecs=[f"+{commit}:{TARGET}"])
        except GitFailed as failure:
            if not failures.refuses_commit(failure.stderr):
                raise
            self._deepen_to(commit)
        else:
            self._partial = True
        return self._commit_of(commit, commit)

    def _deepen_to(self, commit: str) -> None:
        """Look for a commit in the history of all branches and tags of a server that hands out no bare ids."""
        self._run("config", "--unset-all", "remote.origin.promisor", missing_is_fine=True)
        self._run("config", "--unset-all", "remote.origin.partialclonefilter", missing_is_fine=True)
        everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        for depth in (*(f"--depth={depth}" for depth in _DEEPENING), "--unshallow"):
            if depth == "--unshallow" and not (self._directory / "shallow").exists():
                break
            self._fetch(depth, refspecs=everything)
            if self.object_type(commit) == "commit":
                return
        raise FetchError(
            Reason.REF_NOT_FOUND,
            f"{self.url} has no commit {commit} in the history of its branches and tags; check spec.git.ref.commit.",
        )

    def _commit_of(self, name: str, shown: str) -> str:
        try:
            return self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
        except GitFailed as failure:
            raise FetchError(
                Reason.REF_NOT_FOUND, f"{self.url}: {shown!r} names no commit; check spec.git.ref."
            ) from failure

    def _init(self, object_format: str) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        self._run(
            "init",
            "--quiet",
            "--bare",
            "--template=",
            f"--object-format={object_format}",
            str(self._directory),
            here=False,
        )
        self._run("config", "remote.origin.url", self.url)

    def _fetch(self, *options: str, refspecs: list[str], config: Iterable[str] = ()) -> None:
        settings = [part for pair in config for part in ("-c", pair)]
        with tempfile.TemporaryFile(dir=self._directory) as stdin:
            stdin.write("".join(f"{refspec}\n" for refspec in refspecs).encode())
            stdin.seek(0)
            self._run(
                *settings,
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "--force",
                *options,
                "--stdin",
                "origin",
                stdin=stdin,
            )

    def _run(
        self, *arguments: str, here: bool = True, stdin: IO[bytes] | None = None, missing_is_fine: bool = False
    ) -> str:
        try:
            _, out, _ = self._git(here=here).execute(
                ["git", *arguments], istream=cast("BinaryIO | None", stdin), with_extended_output=True
            )
        except GitCommandNotFound as error:
            raise FetchError(Reason.FETCH_FAILED, "git is not installed in the operator's image.") from error
        except GitCommandError as error:
            if missing_is_fine:
                return ""
            raise GitFailed(self._stderr(error)) from None
        return out

    def _git(self, *, here: bool = True) -> Git:
        git = Git(str(self._directory if here else self._directory.parent))
        git.update_environment(**self._env, **({"GIT_DIR": str(self._directory)} if here else {}))
        return git

    def _stderr(self, error: GitCommandError) -> str:
        text = error.stderr.strip().removeprefix("stderr: '").removesuffix("'")
        if isinstance(error.status, int) and error.status < 0:
            text += f"\nkilled by signal {-error.status}"
        return redact(text, self._secrets)


class BlobReader:
    """Reads blobs through one long-lived `git cat-file`, of repositories with any hash."""

    def __init__(self, git: Git) -> None:
        self._process = git.execute(["git", "cat-file", "--batch"], istream=subprocess.PIPE, as_process=True)
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)

    def open(self, oid: str) -> IO[bytes]:
        """Return the content of a blob as a stream; it must be read to its end before the next is opened.

        Raises:
            FetchError: RemoteUnreadable, when the blob is not here.
        """
        self._stdin.write(f"{oid}\n".encode())
        self._stdin.flush()
        found, _, rest = self._stdout.readline().decode().strip().partition(" ")
        kind, _, size = rest.partition(" ")
        if found != oid or kind != "blob":
            raise FetchError(Reason.REMOTE_UNREADABLE, f"the server left out the object {oid}.")
        return cast("IO[bytes]", _Blob(self._stdout, int(size)))


class _Blob(io.RawIOBase):
    """One blob within git's answer; takes the newline behind it along."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        super().__init__()
        self._source = source
        self._left = size
        if not size:
            source.read(1)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        data = self._source.read(wanted)
        if len(data) < wanted:
            raise FetchError(Reason.REMOTE_UNREADABLE, "git ended in the middle of a file.")
        self._left -= wanted
        if not self._left:
            self._source.read(1)
        return data
