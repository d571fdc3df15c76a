"""What callers are told about exceptions."""

import logging

from redis.exceptions import RedisError

from botyard.core.errors import Overloaded
from botyard.gateway.problems import Problem

log = logging.getLogger(__name__)


def to_problem(error: Exception) -> Problem:
    """Return what the caller is told about an exception of a call."""
    match error:
        case Problem():
            return error
        case Overloaded():
            return Problem(
                "overloaded",
                f"{error.pending} messages wait for this bot already.",
                retry_after=error.retry_after,
            )
        case RedisError() | ConnectionError():
            log.warning("the event store failed: %s", error)
            return Problem("storage-unavailable", retry_after=2)
        case _:
            log.error("a call failed", exc_info=error)
            return Problem("internal-error")
