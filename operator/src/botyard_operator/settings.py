"""What an installation configures, from flags and environment; fixed while the operator runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from botyard.contract import names


class SettingsError(ValueError):
    """A setting that is missing or cannot be understood; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Configuration of one operator process."""

    system_namespace: str = "botyard"
    """Where the operator, its Lease, the routing table and the artifact server live."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; empty: all."""
    runtime_image: str = "botyard/runtime:latest"
    """Image of runtime pods."""
    runtime_image_pull_policy: str = "IfNotPresent"
    redis_url_file: Path | None = None
    """File with the Redis URL that runtime pods get; read when the operator starts."""
    redis_url: str = field(default="redis://redis.botyard:6379/0", repr=False)
    artifact_key_file: Path | None = None
    """File with the key that artifact tokens are derived from."""
    artifact_key: bytes = field(default=b"", repr=False)
    artifact_base_url: str = "http://botyard-operator.botyard:8082"
    """Where runtime pods reach the artifact server; an artifact's URL starts with it."""
    artifact_dir: Path = Path("/var/lib/botyard/artifacts")
    gateway_base_url: str = "http://botyard-gateway.botyard:8080"
    """Public address of the gateway; a Bot's `status.url` starts with it."""
    metrics_port: int = names.OPERATOR_METRICS_PORT
    artifacts_port: int = names.ARTIFACTS_PORT
    workers: int = 16
    """Reconciles that run at once."""
    fetch_concurrency: int = 2
    """Bundles that are fetched at once."""
    fetch_memory_bytes: int = 512 * 1024 * 1024
    """Address space of one fetch process."""
    artifact_quota_bytes: int = 0
    """Limit on all artifacts together; 0: the volume alone limits."""
    artifact_bucket: str = ""
    """Bucket that keeps artifacts, as `s3://bucket/prefix`; `artifact_dir` is then a cache. Empty: the folder alone."""
    artifact_bucket_endpoint: str = ""
    """Address of the S3-compatible service; empty: Amazon's."""
    artifact_bucket_region: str = "us-east-1"
    artifact_bucket_credentials: Path | None = None
    """Folder with `access-key-id` and `secret-access-key`; None: what the environment gives."""
    artifact_cache_bytes: int = 1024 * 1024 * 1024
    """What artifacts of a bucket may take in `artifact_dir`."""
    allow_insecure_sources: bool = False
    """Let Bundles use `file://` sources: for tests and laptops only."""
    network_policies: bool = True
    """Whether a NetworkPolicy is created for each Bot."""
    tracing_endpoint: str = ""
    """Collector of OpenTelemetry that the Bots' pods send their traces to, by OTLP over HTTP; empty: they make none."""
    tracing_ratio: str = "1.0"
    """Share of the traces that are kept, where nobody before a Bot has decided that."""
    builds: bool = False
    """Whether revisions are built and inspected in Jobs before Bots get them. The chart sets it; a process outside of a
    cluster cannot, because pods would not reach its artifact server."""
    build_concurrency: int = 4
    """Builds at once."""
    build_seconds: int = 600
    """Longest installation of dependencies."""
    inspect_seconds: int = 60
    """Longest import of a bundle."""
    build_memory: str = "2Gi"
    """Memory of the container that installs and imports."""
    package_index: str = "https://pypi.org/simple"
    """Where packages come from when a Bundle names no index of its own."""
    leader_election: bool = True
    lease_seconds: int = 15
    """How long a leader that does not renew its Lease is respected; it gives up itself after two thirds of that."""
    watch_seconds: int = 100
    """How long the API server keeps a watch open before it is renewed; shorter where something between drops silent
    connections. A watch that is half of this, and at least 30 seconds, overdue is deaf: /healthz fails."""
    log_level: str = "INFO"
    identity: str = "botyard-operator"
    """This process in the Lease: the pod's name."""
    kubeconfig: str | None = None

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        namespaces: tuple[str, ...] = (),
        system_namespace: str | None = None,
    ) -> Settings:
        """Read the settings from `BOTYARD_*` variables; flags given by the caller win.

        Raises:
            SettingsError: a value cannot be read or understood.
        """
        default = cls()

        def text(name: str, fallback: str) -> str:
            return environ.get(f"BOTYARD_{name}", fallback)

        def whole(name: str, fallback: int) -> int:
            raw = environ.get(f"BOTYARD_{name}")
            if raw is None:
                return fallback
            try:
                value = int(raw)
            except ValueError:
                raise SettingsError(f"BOTYARD_{name} must be a whole number, not {raw!r}") from None
            if value < 0:
                raise SettingsError(f"BOTYARD_{name} must not be negative, as {value} is")
            return value

        def flag(name: str, fallback: bool) -> bool:
            raw = environ.get(f"BOTYARD_{name}")
            if raw is None:
                return fallback
            if raw.lower() not in {"true", "false"}:
                raise SettingsError(f"BOTYARD_{name} must be true or false, not {raw!r}")
            return raw.lower() == "true"

        def secret(name: str) -> bytes | None:
            path = environ.get(f"BOTYARD_{name}_FILE")
            if not path:
                return None
            try:
                return Path(path).read_bytes().strip()
            except OSError as error:
                raise SettingsError(f"BOTYARD_{name}_FILE: cannot read {path}: {error.strerror}") from error

        system = system_namespace or text("SYSTEM_NAMESPACE", default.system_namespace)
        listed = tuple(part.strip() for part in text("NAMESPACES", "").split(",") if part.strip())
        redis_url = secret("REDIS_URL")
        artifact_key = secret("ARTIFACT_KEY")
        return cls(
            system_namespace=system,
            namespaces=namespaces or listed,
            runtime_image=text("RUNTIME_IMAGE", default.runtime_image),
            runtime_image_pull_policy=text("RUNTIME_IMAGE_PULL_POLICY", default.runtime_image_pull_policy),
            redis_url_file=_path(environ, "BOTYARD_REDIS_URL_FILE"),
            redis_url=redis_url.decode() if redis_url else text("REDIS_URL", f"redis://redis.{system}:6379/0"),
            artifact_key_file=_path(environ, "BOTYARD_ARTIFACT_KEY_FILE"),
            artifact_key=artifact_key or b"",
            artifact_base_url=text(
                "ARTIFACT_BASE_URL", f"http://botyard-operator.{system}:{names.ARTIFACTS_PORT}"
            ).rstrip("/"),
            artifact_dir=Path(text("ARTIFACT_DIR", str(default.artifact_dir))),
            gateway_base_url=text("GATEWAY_BASE_URL", f"http://botyard-gateway.{system}:{names.GATEWAY_PORT}").rstrip(
                "/"
            ),
            metrics_port=whole("METRICS_PORT", default.metrics_port),
            artifacts_port=whole("ARTIFACTS_PORT", default.artifacts_port),
            workers=whole("WORKERS", default.workers),
            fetch_concurrency=whole("FETCH_CONCURRENCY", default.fetch_concurrency),
            fetch_memory_bytes=whole("FETCH_MEMORY_BYTES", default.fetch_memory_bytes),
            artifact_quota_bytes=whole("ARTIFACT_QUOTA_BYTES", default.artifact_quota_bytes),
            artifact_bucket=text("ARTIFACT_BUCKET", default.artifact_bucket),
            artifact_bucket_endpoint=text("ARTIFACT_BUCKET_ENDPOINT", default.artifact_bucket_endpoint).rstrip("/"),
            artifact_bucket_region=text("ARTIFACT_BUCKET_REGION", default.artifact_bucket_region),
            artifact_bucket_credentials=_path(environ, "BOTYARD_ARTIFACT_BUCKET_CREDENTIALS"),
            artifact_cache_bytes=whole("ARTIFACT_CACHE_BYTES", default.artifact_cache_bytes),
            allow_insecure_sources=flag("ALLOW_INSECURE_SOURCES", default.allow_insecure_sources),
            network_policies=flag("NETWORK_POLICIES", default.network_policies),
            tracing_endpoint=_collector(text("TRACING_ENDPOINT", default.tracing_endpoint)),
            tracing_ratio=text("TRACING_RATIO", default.tracing_ratio),
            builds=flag("BUILDS", default.builds),
            build_concurrency=max(1, whole("BUILD_CONCURRENCY", default.build_concurrency)),
            build_seconds=max(1, whole("BUILD_SECONDS", default.build_seconds)),
            inspect_seconds=max(1, whole("INSPECT_SECONDS", default.inspect_seconds)),
            build_memory=text("BUILD_MEMORY", default.build_memory),
            package_index=text("PACKAGE_INDEX", default.package_index).rstrip("/"),
            leader_election=flag("LEADER_ELECTION", default.leader_election),
            lease_seconds=max(3, whole("LEASE_SECONDS", default.lease_seconds)),
            watch_seconds=max(1, whole("WATCH_SECONDS", default.watch_seconds)),
            log_level=text("LOG_LEVEL", default.log_level).upper(),
            identity=environ.get("POD_NAME") or environ.get("HOSTNAME") or default.identity,
            kubeconfig=environ.get("KUBECONFIG"),
        )


def _collector(url: str) -> str:
    """Return the address of a collector of traces; every Bot's policy and pods are made from it."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if url and not good:
        raise SettingsError(
            "BOTYARD_TRACING_ENDPOINT must be http:// or https://, a host and, where it has another, a port up to "
            "65535, such as http://collector.monitoring:4318"
        )
    return url


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name)
    return Path(value) if value else None
