"""Calls of conversations: their turns and events."""

from botyard.gateway import conversations, events, forks, turns
from botyard.gateway.models.conversations import ConversationAnswer, EventList, Forked, Interrupted
from botyard.gateway.operations.operation import BASE, BOT_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/conversations/{conversation}/events",
        events.get_events,
        "Follow a conversation",
        200,
        answer=EventList,
        streams=True,
        problems=(
            *BOT_PROBLEMS,
            "unknown-conversation",
            "history-expired",
            "too-many-streams",
            "draining",
            "storage-unavailable",
        ),
        parameters=(
            Parameter("Last-Event-ID", "header", "Go on after this event; wins over `after`."),
            Parameter("after", "query", "Go on after this event."),
            Parameter("follow", "query", "`false`: answer what is kept as JSON and end.", "boolean"),
            Parameter("limit", "query", "Most events of a JSON answer, 1 to 1000.", "integer"),
        ),
    ),
    Operation(
        "GET",
        BASE + "/conversations/{conversation}",
        conversations.get_conversation,
        "Describe a conversation",
        200,
        answer=ConversationAnswer,
        problems=(*BOT_PROBLEMS, "unknown-conversation", "storage-unavailable"),
        parameters=(Parameter("turns", "query", "Most finished turns, 1 to 1000.", "integer"),),
    ),
    Operation(
        "DELETE",
        BASE + "/conversations/{conversation}",
        conversations.delete_conversation,
        "End a conversation",
        204,
        problems=(*BOT_PROBLEMS, "unknown-conversation", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/conversations/{conversation}/turns/{turn}/cancel",
        turns.cancel_turn,
        "Cancel a turn that waits or runs",
        202,
        problems=(*BOT_PROBLEMS, "unknown-conversation", "unknown-turn", "turn-finished", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/conversations/{conversation}/interrupt",
        turns.interrupt,
        "Cancel all turns of a conversation that wait, run or are parked",
        202,
        answer=Interrupted,
        problems=(*BOT_PROBLEMS, "unknown-conversation", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/conversations/{conversation}/fork",
        forks.fork_conversation,
        "Begin a new conversation of your own where this one was",
        201,
        answer=Forked,
        problems=(*BOT_PROBLEMS, "unknown-conversation", "not-forkable", "storage-unavailable"),
        parameters=(
            Parameter("after", "query", "The turn after which to begin; else the newest that changed the state."),
        ),
    ),
)
