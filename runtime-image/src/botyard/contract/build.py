"""What the operator asks of a build pod, and what the pod reports: the contract of building and inspecting a bundle."""

from typing import Any, Literal

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.bot import Entrypoint

FORMAT = 1
"""Raised when the same request would give another layer or manifest: part of every build's identity."""

HEADER_DIGEST = "X-Botyard-Digest"
"""Header of a layer that is served to a build: its digest, `sha256:…`."""

MAX_REPORT_BYTES = 2 * 1024 * 1024
"""Limit on a report as JSON."""
MAX_LOG_BYTES = 4 * 1024 * 1024
"""What is kept of a build's log; what follows is dropped and said so."""

Stage = Literal["fetch", "install", "inspect", "publish"]


class BuildLimits(Document):
    """Bounds of one build, in seconds and bytes."""

    install_seconds: float = 600.0
    inspect_seconds: float = 60.0
    layer_bytes: int = 2 * 1024 * 1024 * 1024
    """Unpacked content of the layer."""
    layer_files: int = 200_000


class BuildRequest(Document):
    """One build: of one source, with one set of requirements."""

    id: str
    """Hex digest over all that shapes the result."""
    bundle: str
    """`namespace/name`, for messages."""
    url: str
    """Where results are delivered; below it are `layers/<inputs>`, `layer`, `log` and `report`."""
    source_url: str
    source_digest: str
    requirements: tuple[str, ...] = ()
    """Requirements files, as paths below the bundle's folder; empty: nothing is installed."""
    index: str = ""
    """Digest that tells package indexes apart: packages of another index make another layer."""
    entrypoint: Entrypoint = Entrypoint()
    limits: BuildLimits = BuildLimits()


class BuildFailure(Document):
    """Why a build gave no result."""

    stage: Stage
    reason: str
    """One of the documented reasons of a Bundle's conditions."""
    message: str
    """What is wrong, where, and what to do."""
    retryable: bool = False
    """Trying the same again may help."""


class BuildReport(Document):
    """How a build ended."""

    failure: BuildFailure | None = None
    inputs: str = ""
    """Digest of everything that the layer was made from, `sha256:…`; empty without requirements."""
    layer_digest: str = ""
    log_digest: str = ""
    packages: tuple[str, ...] = ()
    """What the layer holds, as `name==version`."""
    manifest: dict[str, Any] | None = Field(default=None)
    """The whole manifest; also with a failure of inspection, where there is one."""
