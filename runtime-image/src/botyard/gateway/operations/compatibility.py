"""The call that asks whether sessions can go on with another revision."""

from botyard.gateway import compatibility
from botyard.gateway.models.compatibility import CompatibilityAnswer, CompatibilityRequest
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        BASE + "/compatibility",
        compatibility.check_compatibility,
        "Count the sessions that a revision of an FSM bot cannot go on with",
        200,
        answer=CompatibilityAnswer,
        body=CompatibilityRequest,
        problems=(
            *BOT_PROBLEMS,
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
            "storage-unavailable",
        ),
    ),
)
