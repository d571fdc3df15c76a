"""The call that tells what was used of paid services."""

from botyard.gateway import usage
from botyard.gateway.models.usage import UsageReport
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/usage",
        usage.get_usage,
        "Tell what a Bot used of paid services, by component and model",
        200,
        answer=UsageReport,
        problems=(*BOT_PROBLEMS, "storage-unavailable"),
        parameters=(
            Parameter("day", "query", "A day in UTC such as 2026-11-21; today where it is left out."),
            Parameter("turn", "query", "Only what this turn used."),
        ),
    ),
)
