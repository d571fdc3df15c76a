"""What the operator asks of a fetch child and what it gets back (JSON on a pipe each way)."""

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from botyard_operator.fetch.errors import FetchError, Reason

ARCHIVE_NAME = "artifact.tar.gz"
"""File in the work folder that a successful child leaves behind."""


_SHA256_DIGITS = 64


class Credentials(BaseModel):
    """What a Secret gives to reach a remote; never part of a repr, a command line or a log."""

    model_config = ConfigDict(frozen=True)

    username: str = Field(default="", repr=False)
    password: str = Field(default="", repr=False)
    bearer_token: str = Field(default="", repr=False)
    ca_certificate: str = Field(default="", repr=False)
    """PEM; replaces the system's trusted authorities for this remote."""
    proxy: str = Field(default="", repr=False)
    """URL of the HTTP proxy for this remote, instead of the installation's; may carry user and password."""
    identity: str = Field(default="", repr=False)
    """Private key for SSH."""
    known_hosts: str = Field(default="", repr=False)
    """The keys by which servers are recognised over SSH; no other server is spoken to."""
    passphrase: str = Field(default="", repr=False)
    """Opens an encrypted `identity`."""

    def beyond(self) -> "Credentials":
        """Return what holds for servers that these credentials are not for: the way there, and nothing secret."""
        return Credentials(proxy=self.proxy, known_hosts=self.known_hosts)


class Ref(BaseModel):
    """The revision that a Bundle follows."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["branch", "tag", "semver", "commit", "archive", "inline"] = "branch"
    """The last two are for sources that are no repository."""
    name: str = "main"
    """Name of a branch or tag, a range of versions, a commit's id, or what an archive is called."""

    @property
    def full_name(self) -> str:
        """The name of a branch or tag on the remote; for a range the pattern of all tags."""
        if self.kind == "semver":
            return "refs/tags/*"
        return f"refs/{'tags' if self.kind == 'tag' else 'heads'}/{self.name}"

    def revision(self, commit: str, name: str = "") -> str:
        """Return the revision as status shows it: `main@sha1:…`, or `sha1:…` for a pinned commit.

        Args:
            commit: id of the commit, or digest of what is no repository.
            name: the tag that a range chose.
        """
        object_id = f"{hash_of(commit)}:{commit}"
        return object_id if self.kind == "commit" else f"{name or self.name}@{object_id}"


def hash_of(commit: str) -> Literal["sha1", "sha256"]:
    """Return the hash that a full object id was made with."""
    return "sha256" if len(commit) == _SHA256_DIGITS else "sha1"


class Verification(BaseModel):
    """Which signatures are asked for."""

    model_config = ConfigDict(frozen=True)

    mode: Literal["HEAD", "Tag", "TagAndHEAD"] = "HEAD"
    keys: tuple[str, ...] = ()
    """Public keys, each a text with one or more of them: SSH, or OpenPGP with its armour."""

    @property
    def of_commit(self) -> bool:
        """Whether the commit must be signed."""
        return self.mode != "Tag"

    @property
    def of_tag(self) -> bool:
        """Whether the tag must be signed."""
        return self.mode != "HEAD"


class FetchRequest(BaseModel):
    """One fetch."""

    model_config = ConfigDict(frozen=True)

    url: str
    """Of the repository or the archive; empty for inline files."""
    ref: Ref = Ref()
    digest: str = ""
    """For an archive: what its content must have, `sha256:<hex>`; empty: whatever is there."""
    files: dict[str, str] = {}
    """Inline files by path."""
    path: str = ""
    """Folder inside the source; empty for its root."""
    ignore: str = ""
    """Rules in .gitignore syntax; they win over a `.botyardignore` in the source."""
    submodules: bool = False
    verify: Verification | None = None
    max_bytes: int = 100 * 1024 * 1024
    """Limit on the unpacked content, in bytes."""
    max_files: int = 20_000
    timeout_seconds: float = 60.0
    protocols: tuple[str, ...] = ("https", "http", "ssh")
    credentials: Credentials = Credentials()
    scope: str = ""
    """Who shares what is known of the source: Bundles of one namespace with the same Secret. A pinned commit is known
    without asking the remote, so whoever may not read the remote must not profit from somebody else's fetch."""
    known_commit: str = ""
    """The `identity` that the caller holds already; the child stops as soon as it knows that it would get it again."""
    known_etag: str = ""
    """For an archive: what the server called the content of `known_commit`."""

    @property
    def pinned(self) -> str:
        """What is fetched in any case, known without asking anybody: a commit or a digest in hex; else empty."""
        if self.ref.kind == "commit":
            return self.ref.name.lower()
        if self.ref.kind == "inline":
            return hashlib.sha256(json.dumps(sorted(self.files.items())).encode()).hexdigest()
        return self.digest.removeprefix("sha256:")

    def identity(self, commit: str, tag_object: str) -> str:
        """Return what must be the same for a source to be unchanged: the signed tag, where that is asked for."""
        return tag_object if self.verify is not None and self.verify.of_tag else commit

    def source_key(self, archive_format: str) -> str:
        """Return a hex digest over all that shapes the archive: two requests with one key never want two archives."""
        shape = [
            archive_format,
            self.scope,
            self.url,
            self.ref.kind,
            self.ref.name,
            self.path,
            self.ignore,
            self.max_bytes,
            self.max_files,
        ]
        further = [
            self.digest,
            self.pinned if self.ref.kind == "inline" else "",
            self.submodules,
            self.verify.model_dump() if self.verify else None,
        ]
        # What earlier releases did not know is left out while unset, so that they agree on what is in storage.
        return hashlib.sha256(json.dumps([*shape, *(further if any(further) else ())]).encode()).hexdigest()


class ChildRequest(FetchRequest):
    """A fetch as the child gets it: with its folder and its limits."""

    work_dir: Path
    max_download_bytes: int
    """Limit on each file that git writes (a pack is one), in bytes."""
    memory_bytes: int
    cpu_seconds: int


class FetchResult(BaseModel):
    """What a child reports."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["unchanged", "fetched", "failed"]
    commit: str = ""
    identity: str = ""
    """What to compare with at the next look, see `FetchRequest.identity`; equal to `commit` in most cases."""
    name: str = ""
    """The branch or tag that the ref meant."""
    verified: str = ""
    """Who signed, when that was asked for."""
    etag: str = ""
    """For an archive: what the server calls this content; empty when it does not say."""
    digest: str = ""
    """`sha256:<hex>` of the archive."""
    size: int = 0
    """Size of the archive in bytes."""
    files: int = 0
    url: str = ""
    """Where the repository is served: the request's URL, or where it redirects to."""
    reason: Reason | None = None
    message: str = ""
    retryable: bool = True

    @classmethod
    def from_error(cls, error: FetchError) -> "FetchResult":
        """Return the report of a failed fetch."""
        return cls(
            outcome="failed",
            reason=error.reason,
            message=error.message,
            retryable=error.retryable,
            commit=error.commit,
        )

    def raise_for_failure(self) -> None:
        """Raise the FetchError that this report stands for, if it does."""
        if self.outcome == "failed":
            raise FetchError(
                self.reason or Reason.FETCH_FAILED, self.message, retryable=self.retryable, commit=self.commit
            )
