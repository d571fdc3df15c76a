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
from botyard_operator.fetch.limits import file_size_limit
from botyard_operator.fetch.request import Ref
from botyard_operator.fetch.url import redact
from botyard_operator.fetch.versions import Found, find_ref

TARGET = "refs/botyard/target"
"""Where what was fetched is kept."""
_DEEPENING = (50, 500, 5000)
_FILTER = "--filter=blob:none"
_FILTER_LARGE = "--filter=blob:limit=1m"
_LIST_BUFFER = 1 << 16
_MAX_LIST_BYTES = 256 * 1024 * 1024
_SLACK_BYTES = 1 << 20
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
        self._object_format = "sha1"

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

    def fetch(self, ref: Ref, *, object_format: str = "sha1", whole: int = 0) -> Found:
        """Fetch the commit and trees that `ref` names, shallow and if the server can without blobs.

        Args:
            ref: what to fetch.
            object_format: the remote's hash: `sha1` or `sha256`.
            whole: take blobs that are not large along at once, up to so many bytes, because nearly all will be wanted.

        Returns:
            The commit, and the object that the ref names.

        Raises:
            FetchError: RefNotFound.
            GitFailed: git could not fetch.
        """
        self._init(object_format)
        if ref.kind == "commit":
            commit = self._fetch_commit(ref.name.lower(), object_format, whole)
            return Found(commit, commit, ref.name)
        self._fetch_first(f"+{ref.full_name}:{TARGET}", object_format, whole)
        commit, named = self._ids_of(f"{TARGET}^{{commit}}", TARGET, shown=ref.name)
        return Found(commit, named, ref.name)

    def fetch_blobs(self, commit: str, blobs: set[str], ref: Ref, *, most: int) -> dict[str, int]:
        """Fetch those of `blobs` that the filter left out, in one round trip; return the sizes of all in bytes.

        Args:
            commit: that has them.
            blobs: all that is wanted.
            ref: by which the commit was fetched.
            most: bytes of all together; where more has to be transferred, it is given up at once.
        """
        sizes = self._sizes(blobs)
        missing = sorted(blobs - sizes.keys())
        if missing and self._partial:
            self._fetch_missing(commit, missing, ref, most)
            sizes |= self._sizes(missing)
        if left := blobs - sizes.keys():
            raise FetchError(Reason.REMOTE_UNREADABLE, f"{self.url}: the server left out the object {min(left)}.")
        return sizes

    def _fetch_missing(self, commit: str, missing: list[str], ref: Ref, most: int) -> None:
        # What cannot be compressed grows by less than this.
        limit = most + most // 64 + 64 * len(missing) + _SLACK_BYTES
        before = set(self._packs())
        try:
            with file_size_limit(limit):
                self._fetch(_FILTER, refspecs=missing, config=["fetch.negotiationAlgorithm=noop"])
        except GitFailed as failure:
            if _largest(set(self._packs()) - before) >= limit:
                raise FetchError(
                    Reason.TOO_LARGE,
                    f"the source has more than the {most} bytes that spec.limits.size allows; leave files out by "
                    "spec.ignore or raise the limit.",
                ) from failure
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

    def _sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those blobs that are here, without reading their content."""
        with tempfile.TemporaryFile(dir=self._directory) as stdin:
            stdin.write("".join(f"{oid}\n" for oid in sorted(set(blobs))).encode())
            stdin.seek(0)
            out = self._run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=stdin)
        found = (line.partition(" ") for line in out.splitlines())
        return {oid: int(size) for oid, _, size in found if size.isdigit()}

    def open_blobs(self) -> "BlobReader":
        """Return a reader of blobs that are here."""
        return BlobReader(self._git(), self.url)

    def _ls_remote(self, *patterns: str) -> dict[str, str]:
        out = self._run("ls-remote", "--quiet", "--", self.url, *patterns, here=False)
        refs = {}
        for line in out.splitlines():
            oid, _, name = line.partition("\t")
            refs[name] = oid
        return refs

    def _fetch_first(self, refspec: str, object_format: str, whole: int) -> None:
        """Fetch for the first time: with blobs up to a limit, or without."""
        if whole:
            try:
                with file_size_limit(whole):
                    self._fetch("--depth=1", _FILTER_LARGE, refspecs=[refspec])
            except GitFailed:
                if _largest(self._packs()) < whole:
                    raise
                self._init(object_format)
            else:
                self._partial = True
                return
        self._fetch("--depth=1", _FILTER, refspecs=[refspec])
        self._partial = True

    def _packs(self) -> Iterable[Path]:
        """Return what git received, whole or not."""
        return self._directory.glob("objects/pack/*")

    def _fetch_commit(self, commit: str, object_format: str, whole: int) -> str:
        try:
            self._fetch_first(f"+{commit}:{TARGET}", object_format, whole)
        except GitFailed as failure:
            if not failures.refuses_commit(failure.stderr):
                raise
            self._deepen_to(commit)
        return self._ids_of(f"{commit}^{{commit}}", shown=commit)[0]

    def _deepen_to(self, commit: str) -> None:
        """Look for a commit in the history of all branches and tags of a server that hands out no bare ids."""
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

    def _ids_of(self, *names: str, shown: str) -> list[str]:
        """Return the ids that names mean; the first must be one of a commit."""
        try:
            return self._run("rev-parse", *names, "--").split()[:-1]
        except GitFailed as failure:
            raise FetchError(
                Reason.REF_NOT_FOUND, f"{self.url}: {shown!r} names no commit; check spec.git.ref."
            ) from failure

    def _init(self, object_format: str) -> None:
        """Make what git takes for a repository (gitrepository-layout); `git init` would be two processes more."""
        shutil.rmtree(self._directory, ignore_errors=True)
        for folder in ("objects/pack", "refs"):
            (self._directory / folder).mkdir(parents=True)
        (self._directory / "HEAD").write_text("ref: refs/heads/main\n")
        self._object_format = object_format
        self._configure()

    def _configure(self) -> None:
        """Write the repository's configuration, without what git notes of a filter.

        What the filter left out is then missing to git, instead of being fetched object by object unasked.
        """
        object_format = self._object_format
        extension = "" if object_format == "sha1" else f"[extensions]\n\tobjectFormat = {object_format}\n"
        (self._directory / "config").write_text(
            f"[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n{extension}"
            f'[remote "origin"]\n\turl = {_quoted(self.url)}\n'
        )

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
        self._configure()

    def _run(self, *arguments: str, here: bool = True, stdin: IO[bytes] | None = None) -> str:
        try:
            _, out, _ = self._git(here=here).execute(
                ["git", *arguments], istream=cast("BinaryIO | None", stdin), with_extended_output=True
            )
        except GitCommandNotFound as error:
            raise FetchError(Reason.FETCH_FAILED, "git is not installed in the operator's image.") from error
        except GitCommandError as error:
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


def _largest(files: Iterable[Path]) -> int:
    return max((path.stat().st_size for path in files), default=0)


def _quoted(value: str) -> str:
    """Return a value as git's configuration has it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class BlobReader:
    """Reads blobs through one long-lived `git cat-file`, of repositories with any hash."""

    def __init__(self, git: Git, url: str) -> None:
        self._url = url
        self._process = git.execute(["git", "cat-file", "--batch"], istream=subprocess.PIPE, as_process=True)
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)

    def open(self, oid: str) -> IO[bytes]:
        """Return the content of a blob as a stream; it must be read to its end before the next is opened.

        Raises:
            FetchError: RemoteUnreadable, when the blob is not here; what git died of, when it did.
        """
        try:
            self._stdin.write(f"{oid}\n".encode())
            self._stdin.flush()
        except BrokenPipeError:
            raise self.death() from None
        found, _, rest = self._stdout.readline().decode().strip().partition(" ")
        kind, _, size = rest.partition(" ")
        if not found:
            raise self.death()
        if found != oid or kind != "blob":
            raise FetchError(Reason.REMOTE_UNREADABLE, f"the server left out the object {oid}.")
        return cast("IO[bytes]", _Blob(self, self._stdout, int(size)))

    def death(self) -> FetchError:
        """Return why git ended in the middle of its answer."""
        process = cast("subprocess.Popen[bytes]", self._process.proc)
        assert process.stderr is not None
        said = process.stderr.read(_LIST_BUFFER).decode(errors="replace").strip()
        code = process.wait()
        killed = f"\nkilled by signal {-code}" if code < 0 else ""
        return failures.from_stderr(f"{said}{killed}" or "git ended in the middle of a file", url=self._url)


class _Blob(io.RawIOBase):
    """One blob within git's answer; takes the newline behind it along."""

    def __init__(self, reader: BlobReader, source: IO[bytes], size: int) -> None:
        super().__init__()
        self._reader = reader
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
            raise self._reader.death()
        self._left -= wanted
        if not self._left:
            self._source.read(1)
        return data
