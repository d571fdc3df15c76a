"""GET …/usage: what a Bot used of paid services."""

from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.gateway import parameters
from botyard.gateway.access import admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.usage import UsageReport, UsageRow
from botyard.gateway.problems import Problem


async def get_usage(gateway: Gateway, request: Request) -> Response:
    """Return the sums of a day, or of one turn."""
    admission = await admit(gateway, request, verb="operate")
    parameters.only(request, "day", "turn")
    turn = request.query_params.get("turn", "")[:200]
    day = "" if turn else _day(request)
    found = await (gateway.usage.turn(admission.bot, turn) if turn else gateway.usage.day(admission.bot, day))
    rows = tuple(
        UsageRow(service_type=row.service_type, component=row.component, model=row.model, sums=dict(row.sums))
        for row in found
    )
    return JSONResponse(UsageReport(day=day, turn=turn, rows=rows).model_dump())


def _day(request: Request) -> str:
    text = request.query_params.get("day", "")
    if not text:
        return datetime.now(UTC).date().isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Problem("bad-parameter", "`day` must be a date such as 2026-11-21.") from None
