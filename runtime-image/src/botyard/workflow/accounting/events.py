"""One use of a paid service: what the event says, and under which name it is kept. Pure."""

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

_UNSAFE = re.compile(r"[^A-Za-z0-9._@+=-]+")
_LONGEST_NAME = 120
UNKNOWN = "unknown"
"""Stands in names for what an event does not say."""


@dataclass
class ServiceUsage:
    """How much of a service was used. Numbers that a service does not know stay 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    embedding_tokens: int = 0
    embedding_dimensions: int = 0
    search_queries: int = 0
    search_results: int = 0
    image_count: int = 0
    image_pixels: int = 0
    audio_seconds: float = 0.0
    requests: int = 0
    cost_usd: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """What a provider counts beyond these."""

    def to_dict(self) -> dict[str, Any]:
        """Return what is not zero."""
        found = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "details"}
        return {name: value for name, value in {**found, **self.details}.items() if value}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ServiceUsage":
        """Return the usage of a mapping, as this class or the OpenAI protocol names its numbers."""
        known = {item.name for item in fields(cls)} - {"details"}
        usage = cls()
        for name, value in content.items():
            name = _OTHER_NAMES.get(name, name)
            if isinstance(value, int | float) and not isinstance(value, bool) and not math.isfinite(value):
                continue
            if name in known:
                setattr(usage, name, value or 0 if name != "cost_usd" else value)
            else:
                usage.details[name] = value
        return usage

    def completed(self) -> "ServiceUsage":
        """Return it with what follows: the sum of tokens, and that it was one request at least."""
        if not self.total_tokens:
            self.total_tokens = (self.input_tokens or 0) + (self.output_tokens or 0)
        self.requests = self.requests or 1
        return self


_OTHER_NAMES = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}


@dataclass
class AccountingEvent:
    """One call of a paid service."""

    service_type: str
    provider: str = ""
    model_or_service: str = ""
    usage: ServiceUsage = field(default_factory=ServiceUsage)
    success: bool = True
    error_message: str | None = None
    provider_request_id: str | None = None
    component: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    user_type: str | None = None
    tenant_id: str | None = None
    project_id: str | None = None
    request_id: str | None = None
    app_bundle_id: str | None = None
    seed_system_resources: list[Any] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    """conversation_id, turn_id and whatever else the code around the call said of itself."""
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def to_dict(self) -> dict[str, Any]:
        """Return what is kept."""
        return {
            "event_id": self.event_id,
            "timestamp": self.timestamp,
            "user_id": self.user_id,
            "session_id": self.session_id,
            "user_type": self.user_type,
            "tenant_id": self.tenant_id,
            "project_id": self.project_id,
            "request_id": self.request_id,
            "app_bundle_id": self.app_bundle_id,
            "component": self.component,
            "service_type": self.service_type,
            "provider": self.provider,
            "model_or_service": self.model_or_service,
            "seed_system_resources": self.seed_system_resources,
            "usage": self.usage.to_dict(),
            "success": self.success,
            "error_message": self.error_message,
            "provider_request_id": self.provider_request_id,
            "metadata": self.metadata,
            "context": self.context,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "AccountingEvent":
        """Return the event that `to_dict` told."""
        known = {item.name for item in fields(cls)} - {"usage"}
        usage = ServiceUsage.from_dict(content.get("usage") or {})
        return cls(usage=usage, **{name: value for name, value in content.items() if name in known})


def path_of(event: Mapping[str, Any]) -> str:
    """Return where an event is kept.

    `accounting/<tenant>/<project>/<YYYY.MM.DD>/<service_type>/<component>/usage_<timestamp>-<event id>.json`:
    two events never share a name.
    """
    at = moment(str(event.get("timestamp") or ""))
    stamp = f"{at:%Y%m%d_%H%M%S}_{at.microsecond // 1000:03}"
    folders = (event.get(name) for name in ("tenant_id", "project_id"))
    inner = (event.get(name) for name in ("service_type", "component"))
    return "/".join(
        (
            "accounting",
            *map(_part, folders),
            f"{at:%Y.%m.%d}",
            *map(_part, inner),
            f"usage_{stamp}-{_part(event.get('event_id'))}.json",
        )
    )


def moment(timestamp: str) -> datetime:
    """Return the time of an event in UTC; now, where it tells none."""
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        return datetime.now(UTC)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _part(value: object) -> str:
    """Return one part of a path: whoever wrote it, it cannot lead elsewhere."""
    text = _UNSAFE.sub("_", str(value or "")).strip(".")[:_LONGEST_NAME]
    return text or UNKNOWN
