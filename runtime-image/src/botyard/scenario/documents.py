"""Documents of a scenario's workspace, in memory: what `botyard.core.documents` keeps in Redis."""

import time
from collections.abc import Mapping
from typing import Any

from botyard.core.documents import DocumentError, StoredDocument, digest_of, normal


class ScenarioDocuments:
    """The documents of one scenario."""

    def __init__(self) -> None:
        self._versions: dict[str, list[StoredDocument]] = {}
        self._there: set[str] = set()

    def ask(self, method: str, args: Mapping[str, Any]) -> Any:
        """Answer what a Persona asks; see `botyard.runtime.resident_calls`.

        Raises:
            DocumentError: It is refused.
            ValueError: There is no such method.
        """
        if method == "documents.list":
            prefix, after = str(args.get("path") or "/"), str(args.get("after") or "")
            return sorted(path for path in self._there if path.startswith(prefix) and path > after)
        path = normal(str(args.get("path") or ""))
        kept = self._versions.setdefault(path, [])
        if method == "documents.versions":
            return [found.as_record() for found in reversed(kept)]
        if method == "documents.read":
            version = int(args.get("version") or 0)
            if not (0 < version <= len(kept) if version else path in self._there):
                raise DocumentError("NotFound", f"there is no document {path}")
            return kept[(version or len(kept)) - 1].as_record()
        expected = str(args.get("expected") or "")
        if expected and (path not in self._there or kept[-1].digest != expected):
            raise DocumentError("Changed", f"{path} was changed meanwhile: read it again")
        if method == "documents.remove":
            if path not in self._there:
                raise DocumentError("NotFound", f"there is no document {path}")
            return self._there.discard(path)
        if method == "documents.write":
            return self._write(path, str(args["content"]), create=args.get("create") is True)
        raise ValueError(f"the platform has no {method!r}")

    def _write(self, path: str, content: str, *, create: bool) -> int:
        kept = self._versions[path]
        if create and path in self._there:
            raise DocumentError("Exists", f"{path} exists already, in version {len(kept)}")
        digest = digest_of(content)
        if path not in self._there or kept[-1].digest != digest:
            kept.append(StoredDocument(path, content, len(kept) + 1, digest, "scenario", time.time()))
        self._there.add(path)
        return len(kept)
