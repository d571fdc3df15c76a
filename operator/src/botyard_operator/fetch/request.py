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


class Ref(BaseModel):
    """The revision that a Bundle follows."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["branch", "tag", "commit"] = "branch"
    name: str = "main"

    @property
    def full_name(self) -> str:
        """The name of a branch or tag on the remote."""
        return f"refs/{'tags' if self.kind == 'tag' else 'heads'}/{self.name}"

    def revision(self, commit: str) -> str:
        """Return the revision as status shows it: `main@sha1:…`, or `sha1:…` for a pinned commit."""
        object_id = f"{hash_of(commit)}:{commit}"
        return object_id if self.kind == "commit" else f"{self.name}@{object_id}"


def hash_of(commit: str) -> Literal["sha1", "sha256"]:
    """Return the hash that a full object id was made with."""
    return "sha256" if len(commit) == _SHA256_DIGITS else "sha1"


class FetchRequest(BaseModel):
    """One fetch."""

    model_config = ConfigDict(frozen=True)

    url: str
    ref: Ref = Ref()
    path: str = ""
    """Folder inside the repository; empty for its root."""
    ignore: str = ""
    """Rules in .gitignore syntax; they win over a `.botyardignore` in the source."""
    max_bytes: int = 100 * 1024 * 1024
    """Limit on the unpacked content, in bytes."""
    max_files: int = 20_000
    timeout_seconds: float = 60.0
    protocols: tuple[str, ...] = ("https", "http")
    credentials: Credentials = Credentials()
    scope: str = ""
    """Who shares what is known of the source: Bundles of one namespace with the same Secret. A pinned commit is known
    without asking the remote, so whoever may not read the remote must not profit from somebody else's fetch."""
    known_commit: str = ""
    """The commit that the caller holds already; the child stops after ls-remote when the ref still names it."""

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
        return hashlib.sha256(json.dumps(shape).encode()).hexdigest()


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
