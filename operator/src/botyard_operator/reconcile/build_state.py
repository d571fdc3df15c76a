"""What is known of the build of one revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from botyard.contract.build import Stage
from botyard_operator.api.reasons import Reason

REPORTED = frozenset(
    {
        Reason.REQUIREMENTS_INVALID,
        Reason.DEPENDENCY_NOT_FOUND,
        Reason.DEPENDENCY_CONFLICT,
        Reason.DEPENDENCY_BUILD_FAILED,
        Reason.HASH_MISMATCH,
        Reason.INDEX_UNAVAILABLE,
        Reason.INDEX_REFUSED,
        Reason.BUILD_TIMED_OUT,
        Reason.BUILD_FAILED,
        Reason.DISK_FULL,
        Reason.OUT_OF_MEMORY,
        Reason.TOO_LARGE,
        Reason.TOO_MANY_FILES,
        Reason.SYNTAX_ERROR,
        Reason.IMPORT_FAILED,
        Reason.IMPORT_TIMED_OUT,
        Reason.MODEL_UNKNOWN,
        Reason.MODEL_AMBIGUOUS,
        Reason.INSPECTION_FAILED,
    }
)
"""Reasons that a build pod may give; any other word is taken for BuildFailed."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Installed dependencies in storage."""

    digest: str
    size: int
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The state of the build of one revision."""

    state: Literal["skipped", "working", "done", "failed"]
    """`skipped`: the installation builds nothing."""
    revision: str
    id: str = ""
    message: str = ""
    reason: Reason = Reason.PROGRESSING
    stage: Stage = "install"
    retryable: bool = False
    layer: Layer | None = None
    manifest: dict[str, Any] | None = None
    """None in a build that is done: what the status has stays."""
    look_again: float | None = None
    """Seconds after which this is looked at again without any event."""

    @property
    def good(self) -> bool:
        """Whether the revision may be served."""
        return self.state in {"done", "skipped"}


def reason_of(word: str) -> Reason:
    """Return the reason that a build pod gave, or BuildFailed for a word that is none."""
    return Reason(word) if word in REPORTED else Reason.BUILD_FAILED
