"""The refusal of a turn for what its user may use."""

from collections.abc import Mapping
from typing import Any


class EconomicsLimitException(Exception):
    """A turn is not run, or does not go on, for what its user may use; the user was told.

    Attributes:
        code: Why: `rate_limited`, `tier_exhausted_no_personal`, …; docs/workflow-economics.md lists them.
        data: What the user was told.
    """

    def __init__(self, message: str, *, code: str = "rate_limited", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = dict(data or {})
