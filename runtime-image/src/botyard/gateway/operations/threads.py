"""Calls of threads with a model and of the calls that wait for a person."""

from botyard.gateway import personas
from botyard.gateway.models.messages import AcceptedEvent
from botyard.gateway.models.threads import ConfirmRequest, ThreadAnswer, ThreadChange, ThreadList, ThreadRequest
from botyard.gateway.operations.operation import CHANGE_PROBLEMS, PAGE, PERSONA, PERSONA_PROBLEMS, Operation, Parameter

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        PERSONA + "/threads",
        personas.list_threads,
        "List the threads of a Persona",
        200,
        answer=ThreadList,
        problems=PERSONA_PROBLEMS,
        parameters=(
            *PAGE,
            Parameter("search", "query", "Words that title or beginning have, all of them."),
            Parameter("archived", "query", "`true` or `false`: only those; all where it is left out."),
            Parameter("waiting", "query", "`true`: only those with a call that waits for a person."),
        ),
    ),
    Operation(
        "POST",
        PERSONA + "/threads",
        personas.post_thread,
        "Begin a thread with a Persona",
        202,
        answer=AcceptedEvent,
        body=ThreadRequest,
        problems=(*CHANGE_PROBLEMS, "quota-exceeded"),
    ),
    Operation(
        "GET",
        PERSONA + "/threads/{thread}",
        personas.get_thread,
        "Read a thread with its newest messages",
        200,
        answer=ThreadAnswer,
        problems=(*PERSONA_PROBLEMS, "unknown-conversation"),
        parameters=(Parameter("limit", "query", "Most messages, 1 to 1000.", "integer"),),
    ),
    Operation(
        "PATCH",
        PERSONA + "/threads/{thread}",
        personas.change_thread,
        "Change a thread's title, or archive it",
        202,
        answer=AcceptedEvent,
        body=ThreadChange,
        problems=(*CHANGE_PROBLEMS, "unknown-conversation"),
    ),
    Operation(
        "POST",
        PERSONA + "/threads/{thread}/messages",
        personas.post_thread_message,
        "Say something in a thread",
        202,
        answer=AcceptedEvent,
        body=ThreadRequest,
        problems=(*CHANGE_PROBLEMS, "conversation-of-another-user", "quota-exceeded"),
    ),
    Operation(
        "POST",
        PERSONA + "/calls/{call}/confirm",
        personas.confirm_call,
        "Allow or reject a call of a tool that waits for a person",
        202,
        answer=AcceptedEvent,
        body=ConfirmRequest,
        problems=(*CHANGE_PROBLEMS, "conversation-of-another-user"),
    ),
)
