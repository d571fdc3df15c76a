"""What was written to the API server, read from its audit log."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "omitManagedFields": True,
    "rules": [
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}
_OWN_USERS = ("system:apiserver",)


@dataclass(frozen=True, slots=True)
class Write:
    """One writing request that was answered."""

    at: datetime
    verb: str
    user: str
    user_agent: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    dry_run: bool


def read_writes(log: Path, since: datetime) -> list[Write]:
    """Return the writes from `since` on, in order, without those of the API server itself.

    Args:
        log: The audit log; one that does not exist yet has no entries.
        since: A time with zone; requests that arrived from then on count.
    """
    if not log.exists():
        return []
    writes = []
    # A line that is still being written has no newline at its end yet.
    for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            continue
        event = json.loads(line)
        at = datetime.fromisoformat(event["requestReceivedTimestamp"]).astimezone(UTC)
        user = event.get("user", {}).get("username", "")
        if at < since or user in _OWN_USERS:
            continue
        target = event.get("objectRef", {})
        writes.append(
            Write(
                at=at,
                verb=event["verb"],
                user=user,
                user_agent=event.get("userAgent", ""),
                group=target.get("apiGroup", ""),
                resource=target.get("resource", ""),
                subresource=target.get("subresource", ""),
                namespace=target.get("namespace", ""),
                name=target.get("name", ""),
                code=event.get("responseStatus", {}).get("code", 0),
                dry_run="dryRun=" in event.get("requestURI", ""),
            )
        )
    return writes
