"""The call that lists bots."""

from botyard.gateway import bots
from botyard.gateway.models.bots import BotList
from botyard.gateway.operations.operation import Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/bots",
        bots.list_bots,
        "List the bots that you may use",
        200,
        answer=BotList,
        problems=("bad-parameter", "unauthenticated", "authentication-unavailable"),
        parameters=(Parameter("namespace", "query", "Only the bots of this namespace."),),
    ),
)
