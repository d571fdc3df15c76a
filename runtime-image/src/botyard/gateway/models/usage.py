"""Bodies of what was used of paid services."""

from pydantic import Field

from botyard.gateway.models.base import Answer


class UsageRow(Answer):
    """What one component of a bot used of one service."""

    service_type: str
    component: str
    model: str
    sums: dict[str, int] = Field(
        description="calls, failed, requests, input, output and all tokens, milliseconds, microdollars; what is not 0."
    )


class UsageReport(Answer):
    """What a bot used of services."""

    day: str = Field(description="In UTC; empty in the answer for a turn.")
    turn: str
    rows: tuple[UsageRow, ...]
