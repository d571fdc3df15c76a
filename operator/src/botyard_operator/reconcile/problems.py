"""What keeps an object from its desired state, in the words of its conditions."""

from __future__ import annotations

from dataclasses import dataclass

from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.base import ApiError


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a status must tell."""

    reason: Reason
    message: str
    """Names the object at fault and says what to do."""
    stalled: bool = False
    """Whether waiting cannot help."""
    retry: bool = False
    """Whether the reconcile should be tried again after a pause, because no event will tell of the change."""


class Blocked(Exception):
    """Raised inside a reconcile to end it with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def refused(error: ApiError, what: str) -> Problem:
    """Return the problem that the API server's refusal to write `what` amounts to."""
    if error.status == 403 and "exceeded quota" in error.message:
        return Problem(Reason.QUOTA_EXCEEDED, f"{what} is refused: {error.message}", retry=True)
    if error.status == 403:
        message = f"the operator may not write {what}: {error.message}; grant its service account the permission"
        return Problem(Reason.ACCESS_DENIED, message, retry=True)
    if error.status in {400, 422}:
        message = f"{what} is refused as invalid: {error.message}; correct the spec"
        return Problem(Reason.INVALID_SPEC, message, stalled=True)
    return Problem(Reason.RETRYING, f"{what} could not be written: {error.message}", retry=True)


def namespace_terminating(error: ApiError) -> bool:
    """Whether the refusal only says that the namespace is going away, which is no problem of the object."""
    return error.status in {403, 404, 409} and "being terminated" in error.message
