"""Everything that the children of a Bot are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from botyard.contract.bot import BotConfig
from botyard_operator.reconcile.base import JsonObject


@dataclass(frozen=True, slots=True)
class Artifact:
    """The code that the pods run."""

    revision: str
    """Where it comes from, such as `main@sha1:…`."""
    digest: str
    """`sha256:…` of the archive."""
    url: str


@dataclass(frozen=True, slots=True)
class Layer:
    """The installed dependencies of the code."""

    digest: str
    url: str


@dataclass(frozen=True, slots=True)
class Draining:
    """An older revision whose conversations end on it."""

    artifact: Artifact
    layer: Layer | None = None


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where pods send their traces."""

    endpoint: str
    """Of a collector, for OTLP over HTTP."""
    ratio: str = "1.0"
    """Share of the traces that begin in the pods."""


@dataclass(frozen=True, slots=True)
class BotInputs:
    """A Bot, resolved: what its spec says and what it refers to."""

    name: str
    namespace: str
    uid: str
    replicas: int
    artifact: Artifact
    config: BotConfig
    runtime_image: str
    image_pull_policy: str
    redis_url: str = field(repr=False)
    artifact_tokens: Mapping[str, bytes] = field(repr=False)
    """The token of each artifact that pods of this Bot may still fetch, by its entry in the platform Secret."""
    credentials: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The bundle's own credentials by the name that the bundle reads."""
    model_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """API keys of the model providers by the file that `config.model` names."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Model scripts by the file that `config.model` names."""
    resources: JsonObject = field(default_factory=dict)
    """Resources of the worker's container."""
    layer: Layer | None = None
    """None where the code has no dependencies of its own."""
    draining: Draining | None = None
    """None where no conversation waits to end on an older revision."""
    pod_template: JsonObject = field(default_factory=dict)
    """The user's patch of the pod template."""
    prices: str = ""
    """The price table as YAML; empty: there is none."""
    progress_deadline_seconds: int = 300
    system_namespace: str = "botyard"
    network_policy: bool = True
    tracing: Tracing | None = None
    """None where the installation makes no traces."""

    def config_hash(self) -> str:
        """Return the digest of everything that only a restart brings into the process.

        The Redis URL with its password goes in first, so that the digest of a short credential cannot be looked up by
        whoever may read the Deployment. Artifacts' tokens stay out: they follow from the artifacts' digests, and
        running pods do not need them any more. Of the model only whether there is one counts: workers learn the
        address of the models' endpoint when they start, and everything else of it is read live.
        """
        digest = hashlib.sha256()
        model = [b"model"] if self.config.model is not None else []
        for part in (self.redis_url.encode(), *_flatten(self.credentials), *model):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()[:32]

    def attempt(self) -> str:
        """Return the digest of everything that decides whether pods can start: another one is worth another try."""
        text = json.dumps(
            [
                self.artifact.digest,
                self.layer.digest if self.layer is not None else "",
                self.config_hash(),
                self.config.model_copy(update={"ramp": None}).to_json(),
                self.runtime_image,
                self.resources,
            ],
            sort_keys=True,
        )
        return hashlib.sha256((text + json.dumps(self.pod_template, sort_keys=True)).encode()).hexdigest()[:32]


def _flatten(entries: Mapping[str, bytes]) -> list[bytes]:
    return [part for name in sorted(entries) for part in (name.encode(), entries[name])]
