"""Bodies of probes."""

from typing import Literal

from pydantic import Field

from botyard.gateway.models.base import Answer


class Health(Answer):
    """State of a probe."""

    status: Literal["ok", "failing"]
    checks: dict[str, str] = Field(default_factory=dict)
