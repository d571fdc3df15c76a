"""Documents of a workspace: texts under paths, which all bots of a namespace share, with their older versions.

They belong to no conversation, so writing one is no part of a turn's commit. A write carries an id that is the same
when its turn runs again: the second one finds the first. Who wants to change only what it has read gives the digest
of that.
"""

import re
from dataclasses import asdict, dataclass
from hashlib import md5
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.errors import CoreError
from botyard.core.reply import text
from botyard.core.scripts import Scripts

MAX_CONTENT = 1024 * 1024
"""Bytes of one document."""
MAX_DOCUMENTS = 10_000
"""Documents of one workspace."""
KEPT_VERSIONS = 50
"""Versions of one document, the newest among them."""
KEPT_REMOVED = 30 * 86_400
"""Seconds that the versions of a removed document are kept."""
MAX_PAGE = 1000
MAX_PATH = 300
_PART = re.compile(r"[^/\x00-\x1f\x7f]{1,120}")


class DocumentError(CoreError):
    """A document cannot be read or written as asked.

    Attributes:
        code: `NotFound`, `Exists`, `Changed`, `TooLarge`, `BadPath` or `Full`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One version of a document."""

    path: str
    content: str
    version: int
    digest: str
    """MD5 of the content, in hex: what tells versions apart, not what protects them."""
    by: str
    """Who wrote it."""
    at: float
    """When, in seconds since the epoch."""

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return asdict(self)


def normal(path: str) -> str:
    """Return a path as it is kept: `/folder/name`.

    Raises:
        DocumentError: It is none.
    """
    parts = path.strip("/").split("/") if isinstance(path, str) else []
    if not parts or any(part in (".", "..") or not _PART.fullmatch(part) for part in parts):
        raise DocumentError("BadPath", f"{path!r} is no path of a document: write /folder/name")
    if len(whole := "/" + "/".join(parts)) > MAX_PATH:
        raise DocumentError("BadPath", f"the path has {len(whole)} characters; {MAX_PATH} are allowed")
    return whole


def digest_of(content: str) -> str:
    """Return what tells a content from others."""
    return md5(content.encode(), usedforsecurity=False).hexdigest()


class Documents:
    """The documents of all workspaces on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def paths(self, workspace: str, prefix: str = "/", *, after: str = "", limit: int = MAX_PAGE) -> list[str]:
        """Return paths in order, those that begin with `prefix` and follow `after`."""
        low = b"(" + after.encode() if after.startswith(prefix) and after else b"[" + prefix.encode()
        found: Any = await self._redis.zrange(
            keys.document_paths(workspace),
            low,
            b"(" + prefix.encode() + b"\xff",
            bylex=True,
            offset=0,
            num=max(1, min(limit, MAX_PAGE)),
        )
        return [text(path) for path in found]

    async def read(self, workspace: str, path: str, version: int = 0) -> StoredDocument:
        """Return a document, or one of its older versions.

        Raises:
            DocumentError: `NotFound`.
        """
        path = normal(path)
        fields: Any
        if version:
            place = f"{version}-0"
            entries: Any = await self._redis.xrange(keys.document_versions(workspace, path), place, place)
            fields = entries[0][1] if entries else {}
        else:
            fields = await self._redis.hgetall(keys.document(workspace, path))
        if not fields:
            which = f"version {version} of {path}" if version else path
            raise DocumentError("NotFound", f"there is no document {which}")
        return _document(path, fields, version)

    async def versions(self, workspace: str, path: str) -> list[StoredDocument]:
        """Return the versions of a document that are kept, the newest first; also of one that was removed lately."""
        path = normal(path)
        entries: Any = await self._redis.xrevrange(keys.document_versions(workspace, path))
        return [_document(path, fields, int(text(entry).partition("-")[0])) for entry, fields in entries]

    async def write(
        self,
        workspace: str,
        path: str,
        content: str,
        *,
        by: str = "",
        create: bool = False,
        expected: str = "",
        write_id: str = "",
    ) -> int:
        """Write a document and return its version; what is the same as before makes no new one.

        Args:
            workspace: The namespace.
            path: Where.
            content: What.
            by: Who writes it.
            create: Only where there is none yet.
            expected: Digest of what is replaced; empty: whatever is there.
            write_id: A second write of this id is the same write; empty: each is one of its own.

        Raises:
            DocumentError: It was not written.
        """
        path = normal(path)
        if (size := len(content.encode())) > MAX_CONTENT:
            raise DocumentError("TooLarge", f"{path} would have {size} bytes; {MAX_CONTENT} are allowed")
        answer = await self._scripts.run_to_disk(
            "document_write",
            keys=self._keys(workspace, path),
            args=[
                path,
                content,
                digest_of(content),
                by[:200],
                write_id[:200],
                "create" if create else "write",
                expected,
                MAX_DOCUMENTS,
                KEPT_VERSIONS,
            ],
        )
        _judge(answer, path)
        return int(answer[1])

    async def remove(self, workspace: str, path: str, *, expected: str = "") -> None:
        """Remove a document; its versions can be read for a while.

        Raises:
            DocumentError: It is not there, or is not the expected one.
        """
        path = normal(path)
        keys_ = self._keys(workspace, path)
        answer = await self._scripts.run_to_disk("document_remove", keys=keys_, args=[path, expected, KEPT_REMOVED])
        _judge(answer, path)

    @staticmethod
    def _keys(workspace: str, path: str) -> list[str]:
        return [
            keys.document_paths(workspace),
            keys.document(workspace, path),
            keys.document_versions(workspace, path),
        ]


def _judge(answer: Any, path: str) -> None:
    """Raise what a script's answer means, if it is no success."""
    said = text(answer[0])
    if said == "exists":
        raise DocumentError("Exists", f"{path} exists already, in version {answer[1]}")
    if said == "changed":
        raise DocumentError("Changed", f"{path} was changed meanwhile, to version {answer[1]}: read it again")
    if said == "missing":
        raise DocumentError("NotFound", f"there is no document {path}")
    if said == "full":
        raise DocumentError("Full", f"the workspace has {answer[1]} documents; {MAX_DOCUMENTS} are allowed")


def _document(path: str, fields: Any, version: int) -> StoredDocument:
    return StoredDocument(
        path=path,
        content=text(fields[b"content"]),
        version=version or int(fields[b"version"]),
        digest=text(fields[b"digest"]),
        by=text(fields[b"by"]),
        at=int(fields[b"at"]) / 1000,
    )
