"""All calls of the HTTP API in one list: the server's routes and /openapi.json are both made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from botyard.erp.changes import Change
from botyard.gateway import (
    bots,
    budgets,
    callbacks,
    channels,
    compatibility,
    conversations,
    dead_letters,
    erp,
    events,
    files,
    forks,
    knowledge,
    messages,
    models,
    personas,
    policy_documents,
    turns,
    usage,
)
from botyard.gateway.chat import sse
from botyard.gateway.context import Gateway

Call = Callable[[Gateway, Request], Awaitable[Response]]

BASE = "/v1/namespaces/{namespace}/bots/{bot}"
_BOT_PROBLEMS = ("bad-parameter", "unauthenticated", "forbidden", "unknown-bot", "authentication-unavailable")

_MESSAGE_PROBLEMS = (
    *_BOT_PROBLEMS,
    "malformed-json",
    "conversation-of-another-user",
    "unknown-persona",
    "timeout",
    "too-large",
    "unsupported-media-type",
    "invalid-body",
    "rate-limited",
    "quota-exceeded",
    "overloaded",
    "unknown-file",
    "bot-not-ready",
    "storage-unavailable",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a call."""

    name: str
    place: str
    description: str
    schema: str = "string"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API."""

    method: str
    path: str
    call: Call
    summary: str
    status: int
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | str | None = None
    """A model, or the media type of a raw body."""
    problems: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    authenticated: bool = True
    streams: bool = False
    raw: bool = False
    """The answer is bytes of any media type."""

    @property
    def name(self) -> str:
        """The operation's identifier."""
        return self.call.__name__


PERSONA = BASE + "/personas/{persona}"
_PERSONA_PROBLEMS = (*_BOT_PROBLEMS, "unknown-persona", "rate-limited", "storage-unavailable")
_CHANGE_PROBLEMS = (
    *_PERSONA_PROBLEMS,
    "malformed-json",
    "timeout",
    "too-large",
    "unsupported-media-type",
    "invalid-body",
    "overloaded",
    "bot-not-ready",
)
_PAGE = (
    Parameter("after", "query", "Go on after this one: `last` of the page before."),
    Parameter("limit", "query", "Most of a page, 1 to 1000.", "integer"),
)

_DAYS = Parameter("days", "query", "Also the history of this many days, 1 to 400.", "integer")
_BUDGET_PROBLEMS = (*_BOT_PROBLEMS, "rate-limited", "bot-not-ready", "budget-unusable", "storage-unavailable")

BUDGET_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        BASE + "/budget",
        budgets.get_budget,
        "Tell what a Bot and its Personas spend",
        200,
        answer=models.BudgetReport,
        problems=_BUDGET_PROBLEMS,
        parameters=(_DAYS,),
    ),
    Operation(
        "GET",
        PERSONA + "/budget",
        budgets.get_persona_budget,
        "Tell what a Persona may spend and has spent",
        200,
        answer=models.BudgetAnswer,
        problems=(*_BUDGET_PROBLEMS, "unknown-persona"),
        parameters=(
            _DAYS,
            Parameter("task", "query", "Also this task's account."),
            Parameter("thread", "query", "Also the account of this thread, by its conversation."),
        ),
    ),
    Operation(
        "POST",
        PERSONA + "/budget/grants",
        budgets.post_grant,
        "Grant a Persona a further amount",
        201,
        answer=models.GrantAnswer,
        body=models.GrantRequest,
        problems=(
            *_BUDGET_PROBLEMS,
            "unknown-persona",
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
        ),
    ),
)

PERSONA_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        PERSONA + "/tasks",
        personas.list_tasks,
        "List the tasks of a Persona's board",
        200,
        answer=models.TaskList,
        problems=_PERSONA_PROBLEMS,
        parameters=(*_PAGE, Parameter("column", "query", "Only the tasks of this column.")),
    ),
    Operation(
        "POST",
        PERSONA + "/tasks",
        personas.post_task,
        "Put a task on a Persona's board",
        202,
        answer=models.AcceptedEvent,
        body=models.TaskRequest,
        problems=_CHANGE_PROBLEMS,
    ),
    Operation(
        "POST",
        PERSONA + "/tasks/{task}/move",
        personas.move_task,
        "Move a task to another column",
        202,
        answer=models.AcceptedEvent,
        body=models.TaskMove,
        problems=_CHANGE_PROBLEMS,
    ),
    Operation(
        "GET",
        PERSONA + "/threads",
        personas.list_threads,
        "List the threads of a Persona",
        200,
        answer=models.ThreadList,
        problems=_PERSONA_PROBLEMS,
        parameters=(
            *_PAGE,
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
        answer=models.AcceptedEvent,
        body=models.ThreadRequest,
        problems=(*_CHANGE_PROBLEMS, "quota-exceeded"),
    ),
    Operation(
        "GET",
        PERSONA + "/threads/{thread}",
        personas.get_thread,
        "Read a thread with its newest messages",
        200,
        answer=models.ThreadAnswer,
        problems=(*_PERSONA_PROBLEMS, "unknown-conversation"),
        parameters=(Parameter("limit", "query", "Most messages, 1 to 1000.", "integer"),),
    ),
    Operation(
        "PATCH",
        PERSONA + "/threads/{thread}",
        personas.change_thread,
        "Change a thread's title, or archive it",
        202,
        answer=models.AcceptedEvent,
        body=models.ThreadChange,
        problems=(*_CHANGE_PROBLEMS, "unknown-conversation"),
    ),
    Operation(
        "POST",
        PERSONA + "/threads/{thread}/messages",
        personas.post_thread_message,
        "Say something in a thread",
        202,
        answer=models.AcceptedEvent,
        body=models.ThreadRequest,
        problems=(*_CHANGE_PROBLEMS, "conversation-of-another-user", "quota-exceeded"),
    ),
    Operation(
        "POST",
        PERSONA + "/calls/{call}/confirm",
        personas.confirm_call,
        "Allow or reject a call of a tool that waits for a person",
        202,
        answer=models.AcceptedEvent,
        body=models.ConfirmRequest,
        problems=(*_CHANGE_PROBLEMS, "conversation-of-another-user"),
    ),
)

USAGE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        BASE + "/credits",
        budgets.post_credit,
        "Give a user tokens that were paid for (docs/workflow-economics.md)",
        201,
        answer=models.GrantAnswer,
        body=models.CreditRequest,
        problems=(
            *_BUDGET_PROBLEMS,
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
        ),
    ),
    Operation(
        "GET",
        BASE + "/usage",
        usage.get_usage,
        "Tell what a Bot used of paid services, by component and model",
        200,
        answer=models.UsageReport,
        problems=(*_BOT_PROBLEMS, "storage-unavailable"),
        parameters=(
            Parameter("day", "query", "A day in UTC such as 2026-11-21; today where it is left out."),
            Parameter("turn", "query", "Only what this turn used."),
        ),
    ),
)

_CHAT = (
    Parameter("stream_id", "query", "The client's own name of its stream; answers go to it alone."),
    Parameter("user_session_id", "query", "The session; all streams of one session share its conversations."),
    Parameter("bearer_token", "query", "The token, for clients that cannot send headers."),
    Parameter("tenant", "query", "Namespace of the bots, where the gateway serves several."),
    Parameter("project", "query", "Told back in events."),
)
_CHAT_PROBLEMS = ("bad-parameter", "unauthenticated", "authentication-unavailable", "storage-unavailable")
CHAT_BODY = "application/json; charset=utf-8"
"""Of the channels of workflow clients; no model, since they are tolerant."""
CHAT_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/sse/stream",
        sse.stream_chat,
        "Open the event stream of a session (docs/workflow-channels.md)",
        200,
        streams=True,
        problems=(*_CHAT_PROBLEMS, "too-many-streams", "draining"),
        parameters=(
            *_CHAT,
            Parameter("Last-Event-ID", "header", "Go on after this event; wins over `after`."),
            Parameter("after", "query", "Go on after this event."),
        ),
    ),
    Operation(
        "POST",
        "/sse/chat",
        sse.post_chat,
        "Say something in a session; the answer comes over its stream",
        200,
        answer=models.ChatAccepted,
        body=CHAT_BODY,
        problems=(
            *_CHAT_PROBLEMS,
            "malformed-json",
            "missing-message",
            "unknown-bundle",
            "input-too-long",
            "attachment-rejected",
            "forbidden",
            "conversation-of-another-user",
            "timeout",
            "length-required",
            "too-large",
            "invalid-body",
            "rate-limited",
            "overloaded",
            "bot-not-ready",
            "under-pressure",
            "files-full",
        ),
        parameters=_CHAT,
    ),
    Operation(
        "POST",
        "/sse/conv_status.get",
        sse.get_chat_status,
        "Tell whether a conversation is busy, in the answer and over the stream",
        200,
        answer=models.ChatStatus,
        body=CHAT_BODY,
        problems=(
            *_CHAT_PROBLEMS,
            "malformed-json",
            "unknown-bundle",
            "forbidden",
            "conversation-of-another-user",
            "timeout",
            "too-large",
        ),
        parameters=_CHAT,
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/bots",
        bots.list_bots,
        "List the bots that you may use",
        200,
        answer=models.BotList,
        problems=("bad-parameter", "unauthenticated", "authentication-unavailable"),
        parameters=(Parameter("namespace", "query", "Only the bots of this namespace."),),
    ),
    Operation(
        "POST",
        BASE + "/messages",
        messages.post_message,
        "Send a message to a bot",
        202,
        answer=models.Accepted,
        body=models.MessageRequest,
        problems=_MESSAGE_PROBLEMS,
    ),
    Operation(
        "POST",
        "/v1/namespaces/{namespace}/messages",
        messages.post_default_message,
        "Send a message to the namespace's default bot",
        202,
        answer=models.Accepted,
        body=models.MessageRequest,
        problems=_MESSAGE_PROBLEMS,
    ),
    Operation(
        "POST",
        BASE + "/files",
        files.post_file,
        "Keep a file, for messages to refer to",
        201,
        answer=models.FileAnswer,
        body="application/octet-stream",
        problems=(
            *_BOT_PROBLEMS,
            "length-required",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "rate-limited",
            "files-full",
            "storage-unavailable",
        ),
        parameters=(Parameter("name", "query", "File name that people see (`file`)."),),
    ),
    Operation(
        "GET",
        BASE + "/files/{file}",
        files.get_file,
        "Get a file back",
        200,
        raw=True,
        problems=(*_BOT_PROBLEMS, "unknown-file", "storage-unavailable"),
    ),
    Operation(
        "GET",
        BASE + "/conversations/{conversation}/events",
        events.get_events,
        "Follow a conversation",
        200,
        answer=models.EventList,
        streams=True,
        problems=(
            *_BOT_PROBLEMS,
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
        answer=models.ConversationAnswer,
        problems=(*_BOT_PROBLEMS, "unknown-conversation", "storage-unavailable"),
        parameters=(Parameter("turns", "query", "Most finished turns, 1 to 1000.", "integer"),),
    ),
    Operation(
        "DELETE",
        BASE + "/conversations/{conversation}",
        conversations.delete_conversation,
        "End a conversation",
        204,
        problems=(*_BOT_PROBLEMS, "unknown-conversation", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/conversations/{conversation}/turns/{turn}/cancel",
        turns.cancel_turn,
        "Cancel a turn that waits or runs",
        202,
        problems=(*_BOT_PROBLEMS, "unknown-conversation", "unknown-turn", "turn-finished", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/conversations/{conversation}/interrupt",
        turns.interrupt,
        "Cancel all turns of a conversation that wait, run or are parked",
        202,
        answer=models.Interrupted,
        problems=(*_BOT_PROBLEMS, "unknown-conversation", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/conversations/{conversation}/fork",
        forks.fork_conversation,
        "Begin a new conversation of your own where this one was",
        201,
        answer=models.Forked,
        problems=(*_BOT_PROBLEMS, "unknown-conversation", "not-forkable", "storage-unavailable"),
        parameters=(
            Parameter("after", "query", "The turn after which to begin; else the newest that changed the state."),
        ),
    ),
    Operation(
        "GET",
        BASE + "/policy-documents",
        policy_documents.list_policy_documents,
        "List the documents that the loop bots of the namespace share",
        200,
        answer=models.PolicyDocumentList,
        problems=(*_BOT_PROBLEMS, "storage-unavailable"),
        parameters=(
            Parameter("prefix", "query", "Only paths that begin so, such as /plans/."),
            Parameter("after", "query", "Only those behind this path."),
            Parameter("limit", "query", "Most documents, 1 to 1000.", "integer"),
        ),
    ),
    Operation(
        "GET",
        BASE + "/policy-documents/content",
        policy_documents.get_policy_document,
        "Read a document, or one of its older versions",
        200,
        answer=models.PolicyDocumentAnswer,
        problems=(*_BOT_PROBLEMS, "unknown-document", "storage-unavailable"),
        parameters=(
            Parameter("path", "query", "Which one."),
            Parameter("version", "query", "An older version; 0: the newest.", "integer"),
        ),
    ),
    Operation(
        "PUT",
        BASE + "/policy-documents/content",
        policy_documents.put_policy_document,
        "Write a document",
        200,
        answer=models.PolicyDocumentAnswer,
        body=models.PolicyDocumentRequest,
        problems=(
            *_BOT_PROBLEMS,
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
            "unknown-document",
            "document-changed",
            "storage-unavailable",
        ),
    ),
    Operation(
        "GET",
        BASE + "/dead-letters",
        dead_letters.list_dead_letters,
        "List the events that were given up, oldest first",
        200,
        answer=models.DeadLetterList,
        problems=(*_BOT_PROBLEMS, "storage-unavailable"),
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
        problems=(*_BOT_PROBLEMS, "unknown-letter", "storage-unavailable"),
    ),
    Operation(
        "DELETE",
        BASE + "/dead-letters/{letter}",
        dead_letters.drop_dead_letter,
        "Forget an event that was given up",
        204,
        problems=(*_BOT_PROBLEMS, "unknown-letter", "storage-unavailable"),
    ),
    Operation(
        "GET",
        BASE + "/collections",
        knowledge.get_collections,
        "List the collections of uploaded documents that a bot answers from",
        200,
        answer=models.CollectionList,
        problems=(*_BOT_PROBLEMS, "storage-unavailable"),
    ),
    Operation(
        "GET",
        BASE + "/collections/{collection}/documents",
        knowledge.get_documents,
        "List the uploaded documents of a collection",
        200,
        answer=models.DocumentList,
        problems=(*_BOT_PROBLEMS, "storage-unavailable"),
    ),
    Operation(
        "PUT",
        BASE + "/collections/{collection}/documents/{document}",
        knowledge.put_document,
        "Upload a document, in the place of one of the same name",
        200,
        answer=models.DocumentAnswer,
        body="text/markdown",
        problems=(
            *_BOT_PROBLEMS,
            "timeout",
            "too-large",
            "unsupported-media-type",
            "knowledge-full",
            "storage-unavailable",
        ),
    ),
    Operation(
        "DELETE",
        BASE + "/collections/{collection}/documents/{document}",
        knowledge.delete_document,
        "Drop an uploaded document",
        204,
        problems=(*_BOT_PROBLEMS, "unknown-document", "storage-unavailable"),
    ),
    Operation(
        "POST",
        BASE + "/compatibility",
        compatibility.check_compatibility,
        "Count the sessions that a revision of an FSM bot cannot go on with",
        200,
        answer=models.CompatibilityAnswer,
        body=models.CompatibilityRequest,
        problems=(
            *_BOT_PROBLEMS,
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
            "storage-unavailable",
        ),
    ),
    Operation(
        "POST",
        BASE + "/callbacks/{reference}",
        callbacks.post_callback,
        "Answer a bot that waits for a third party",
        202,
        answer=models.CallbackAccepted,
        body="text/plain",
        problems=(
            "bad-parameter",
            "unknown-reference",
            "timeout",
            "reference-used",
            "too-large",
            "rate-limited",
            "overloaded",
            "storage-unavailable",
        ),
        authenticated=False,
    ),
    Operation(
        "POST",
        "/v1/channels/{channel}",
        channels.post_channel,
        "Take what a messenger or another system sends to its channel",
        200,
        body="application/json",
        problems=(
            "unknown-channel",
            "not-genuine",
            "invalid-body",
            "timeout",
            "too-large",
            "overloaded",
            "channel-unavailable",
            "storage-unavailable",
        ),
        authenticated=False,
    ),
    Operation(
        "POST",
        "/v1/webhook",
        callbacks.post_webhook,
        "Answer a bot by the reference inside the body",
        202,
        answer=models.CallbackAccepted,
        body="text/plain",
        problems=(
            "bad-parameter",
            "unknown-reference",
            "timeout",
            "reference-used",
            "too-large",
            "rate-limited",
            "overloaded",
            "storage-unavailable",
        ),
        authenticated=False,
    ),
    Operation(
        "POST",
        "/v1/namespaces/{namespace}/erp/{table}",
        erp.post_changes,
        "Tell of changed rows of the company's database",
        202,
        answer=models.ErpAnswer,
        body=Change,
        problems=(
            "bad-parameter",
            "unauthenticated",
            "forbidden",
            "authentication-unavailable",
            "malformed-json",
            "timeout",
            "too-large",
            "unsupported-media-type",
            "invalid-body",
            "overloaded",
            "storage-unavailable",
        ),
    ),
    *PERSONA_OPERATIONS,
    *BUDGET_OPERATIONS,
    *USAGE_OPERATIONS,
    *CHAT_OPERATIONS,
)
