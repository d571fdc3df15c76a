"""What was written through the API server, from the audit log of the local cluster."""

import json
from dataclasses import dataclass
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Write:
    """One request that changed something, or tried to."""

    verb: str
    resource: str
    """With its subresource, such as `bots/status`."""
    namespace: str
    name: str


class AuditLog:
    """Reads what is appended to the log from a position on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def position(self) -> int:
        """Return where the log ends now."""
        return self._path.stat().st_size

    def writes(self, since: int, *, user: str) -> list[Write]:
        """Return the writes of a user after a position, without those to Leases, which say only `I am alive`."""
        with self._path.open("rb") as log:
            log.seek(since)
            # The last line may still be in the making.
            lines = log.read().rpartition(b"\n")[0].splitlines()
        found = []
        for line in lines:
            entry = json.loads(line)
            subject = entry.get("objectRef") or {}
            if entry.get("stage") != "ResponseComplete" or entry["user"]["username"] != user:
                continue
            if entry["verb"] not in WRITES or subject.get("resource") == "leases":
                continue
            resource = "/".join(part for part in (subject.get("resource"), subject.get("subresource")) if part)
            found.append(Write(entry["verb"], resource, subject.get("namespace", ""), subject.get("name", "")))
        return found
