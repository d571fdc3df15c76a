"""Calls of events that were given up."""

from botyard.gateway import dead_letters
from botyard.gateway.models.dead_letters import DeadLetterList
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/dead-letters",
        dead_letters.list_dead_letters,
        "List the events that were given up, oldest first",
        200,
        answer=DeadLetterList,
        problems=(*BOT_PROBLEMS, "storage-unavailable"),
        parameters=(
            Parameter("limit", "query", "Most letters, 1 to 200.", "integer"),
            Parameter("after", "query", "Only those behind this letter."),
        ),
    ),
    Operation(
        "POST",
        BASE + "/dead-letters/{letter}/requeue",
        dead_letters.requeue_dead_letter,
        "Run an event again that was given up",
        202,
        problems=(*BOT_PROBLEMS, "unknown-letter", "storage-unavailable"),
    ),
    Operation(
        "DELETE",
        BASE + "/dead-letters/{letter}",
        dead_letters.drop_dead_letter,
        "Forget an event that was given up",
        204,
        problems=(*BOT_PROBLEMS, "unknown-letter", "storage-unavailable"),
    ),
)
