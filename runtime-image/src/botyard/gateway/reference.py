"""docs/http-api.md, made from the operations, the models and the catalogue of problems.

`python -m botyard.gateway.reference` prints it; a test holds the page to it and another runs its examples.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, TypeGuard

from pydantic import BaseModel

from botyard.gateway import openapi
from botyard.gateway.operations import OPERATIONS
from botyard.gateway.operations.chat import CHAT_BODY
from botyard.gateway.operations.operation import Operation
from botyard.gateway.problems import CATALOGUE, TYPE_BASE

EXAMPLES: Mapping[str, str] = {
    "list_bots": 'curl -s -H "$AUTH" $GATEWAY/v1/bots',
    "post_message": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"text": "hello", "id": "order-1"}\' $BOT/messages'
    ),
    "post_default_message": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" -d \'{"text": "hello"}\' $NAMESPACE/messages'
    ),
    "post_file": 'curl -s -H "$AUTH" -H "Content-Type: text/plain" -d "a,b" "$BOT/files?name=table.csv"',
    "get_file": 'curl -s -H "$AUTH" $BOT/files/$FILE',
    "get_events": 'curl -s -H "$AUTH" "$BOT/conversations/$CONVERSATION/events?follow=false"',
    "get_conversation": 'curl -s -H "$AUTH" $BOT/conversations/$CONVERSATION',
    "delete_conversation": 'curl -s -X DELETE -H "$AUTH" $BOT/conversations/$CONVERSATION',
    "cancel_turn": 'curl -s -X POST -H "$AUTH" $BOT/conversations/$CONVERSATION/turns/$TURN/cancel',
    "interrupt": 'curl -s -X POST -H "$AUTH" $BOT/conversations/$CONVERSATION/interrupt',
    "fork_conversation": 'curl -s -X POST -H "$AUTH" $BOT/conversations/$CONVERSATION/fork',
    "list_policy_documents": 'curl -s -H "$AUTH" "$BOT/policy-documents?prefix=/plans/"',
    "get_policy_document": 'curl -s -H "$AUTH" "$BOT/policy-documents/content?path=/plans/spring"',
    "put_policy_document": (
        'curl -s -X PUT -H "$AUTH" -H "Content-Type: application/json" \\\n'
        """  -d '{"path": "/plans/spring", "content": "{}"}' $BOT/policy-documents/content"""
    ),
    "list_dead_letters": 'curl -s -H "$AUTH" "$BOT/dead-letters?limit=20"',
    "requeue_dead_letter": 'curl -s -X POST -H "$AUTH" $BOT/dead-letters/$LETTER/requeue',
    "drop_dead_letter": 'curl -s -X DELETE -H "$AUTH" $BOT/dead-letters/$LETTER',
    "get_collections": 'curl -s -H "$AUTH" $BOT/collections',
    "get_documents": 'curl -s -H "$AUTH" $BOT/collections/prices/documents',
    "put_document": (
        'curl -s -X PUT -H "$AUTH" -H "Content-Type: text/markdown" --data-binary @prices.md \\\n'
        "  $BOT/collections/prices/documents/prices.md"
    ),
    "delete_document": 'curl -s -X DELETE -H "$AUTH" $BOT/collections/prices/documents/prices.md',
    "check_compatibility": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"machine": {"states": ["zero", "ask", "end"]}}\' $BOT/compatibility'
    ),
    "post_callback": 'curl -s -H "Content-Type: text/plain" -d \'{"paid": true}\' $BOT/callbacks/$REFERENCE',
    "post_channel": (
        'curl -s -H "Content-Type: application/json" -H "X-Telegram-Bot-Api-Secret-Token: $SECRET" \\\n'
        '  -d \'{"update_id": 1, "message": {"chat": {"id": 7}, "text": "hello"}}\' $GATEWAY/v1/channels/chat'
    ),
    "list_tasks": 'curl -s -H "$AUTH" "$BOT/personas/nora/tasks?column=todo"',
    "get_task": 'curl -s -H "$AUTH" $BOT/personas/nora/tasks/task_1',
    "post_changes": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"id": "tx-81", "action": "INSERT", "new": {"contact_id": "7"}}\' \\\n'
        "  $GATEWAY/v1/namespaces/shop/erp/crm_contact"
    ),
    "post_task": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"title": "Call Oslo", "column": "todo", "details": {"phone": "1"}}\' $BOT/personas/nora/tasks'
    ),
    "move_task": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"column": "done", "summary": "called"}\' $BOT/personas/nora/tasks/task_1/move'
    ),
    "list_threads": 'curl -s -H "$AUTH" "$BOT/personas/nora/threads?limit=20"',
    "post_thread": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"text": "Who called today?"}\' $BOT/personas/nora/threads'
    ),
    "get_thread": 'curl -s -H "$AUTH" $BOT/personas/nora/threads/$THREAD',
    "change_thread": (
        'curl -s -X PATCH -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"title": "Calls", "archived": true}\' $BOT/personas/nora/threads/$THREAD'
    ),
    "post_thread_message": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"text": "And yesterday?"}\' $BOT/personas/nora/threads/$THREAD/messages'
    ),
    "confirm_call": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        "  -d '{\"allow\": true}' $BOT/personas/nora/calls/$THREAD.2.0/confirm"
    ),
    "stream_chat": 'curl -s -N -H "$AUTH" "$GATEWAY/sse/stream?stream_id=s1&user_session_id=mine&tenant=shop"',
    "post_chat": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"message": {"text": "hello", "bundle_id": "echo"}}\' \\\n'
        '  "$GATEWAY/sse/chat?stream_id=s1&user_session_id=mine&tenant=shop"'
    ),
    "get_chat_status": (
        'curl -s -H "$AUTH" -d \'{"conversation_id": "c1", "bundle_id": "echo"}\' \\\n'
        '  "$GATEWAY/sse/conv_status.get?user_session_id=mine&tenant=shop"'
    ),
    "post_credit": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"user": "oidc:ann", "tokens": 100000, "id": "order-7"}\' $BOT/credits'
    ),
    "get_usage": 'curl -s -H "$AUTH" "$BOT/usage?day=2026-11-21"',
    "get_budget": 'curl -s -H "$AUTH" "$BOT/budget?days=31"',
    "get_persona_budget": 'curl -s -H "$AUTH" "$BOT/personas/nora/budget?thread=nora~t1"',
    "post_grant": (
        'curl -s -H "$AUTH" -H "Content-Type: application/json" \\\n'
        '  -d \'{"coins": 500000, "id": "grant-1"}\' $BOT/personas/nora/budget/grants'
    ),
    "post_webhook": 'curl -s -H "Content-Type: text/plain" -d "paid, see $REFERENCE" $GATEWAY/v1/webhook',
}
"""One example for each call, by the operation's name."""

_BY_REFERENCE = " No token is needed: the reference is the key."
_FREE = {"post_channel": " No token is needed: each channel's protocol has its own proof ([channels](channels.md))."}
"""What calls without a token say of it, where that is not the reference."""

_TEXT_BODY = "Body: text of any media type, in UTF-8; the bot gets it as it is.\n"
_BODIES: Mapping[str, str] = {
    "application/octet-stream": "Body: the file as it is, with its media type as Content-Type.\n",
    CHAT_BODY: "Body: as docs/workflow-channels.md says, `application/json`, or a form with files for `/sse/chat`.\n",
}

_INTRODUCTION = (files("botyard.gateway") / "reference.md").read_text(encoding="utf-8")


def page() -> str:
    """Return the page."""
    return "\n".join([_INTRODUCTION, "## Calls\n", *_calls(), *_types(), *_problems()]).rstrip() + "\n"


def _calls() -> Iterator[str]:
    for operation in OPERATIONS:
        yield f"### {operation.method} `{operation.path}`\n"
        free = "" if operation.authenticated else _FREE.get(operation.name, _BY_REFERENCE)
        yield f"{operation.summary}.{free}\n"
        yield f"```sh\n{EXAMPLES[operation.name]}\n```\n"
        if operation.parameters:
            yield "| Parameter | In | |\n|---|---|---|"
            yield "\n".join(
                f"| `{parameter.name}` | {parameter.place} | {parameter.description} |"
                for parameter in operation.parameters
            )
            yield ""
        if isinstance(operation.body, type):
            yield f"Body, `application/json`:\n\n{_fields(operation.body)}\n"
        elif operation.body:
            yield _BODIES.get(operation.body, _TEXT_BODY)
        yield f"{_answer(operation)}\n"
        yield "Problems: " + ", ".join(f"`{name}`" for name in operation.problems) + ".\n"


def _answer(operation: Operation) -> str:
    if operation.raw:
        return f"Answer {operation.status}: the content, as it was sent."
    if operation.streams and operation.answer is None:
        return f"Answer {operation.status}, as `text/event-stream`."
    if operation.answer is None:
        return f"Answer {operation.status}, without a body."
    stream = ", as `text/event-stream`; with `follow=false` as JSON" if operation.streams else ""
    return f"Answer {operation.status}{stream}:\n\n{_fields(operation.answer)}"


def _fields(model: type[BaseModel]) -> str:
    return _table(openapi.document()["components"]["schemas"][model.__name__])


def _types() -> Iterator[str]:
    """Yield the types inside of bodies and answers."""
    told = {each.__name__ for operation in OPERATIONS for each in (operation.answer, operation.body) if _is_model(each)}
    yield "## Types\n"
    for name, schema in openapi.document()["components"]["schemas"].items():
        if name not in told and name not in ("ProblemDetails", "FieldError"):
            yield f"### {name}\n\n{schema['description']}\n\n{_table(schema)}\n"


def _is_model(value: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(value, type)


def _table(schema: Mapping[str, Any]) -> str:
    # Only what is sent refuses other fields; what is answered has all that it says.
    asked = schema.get("required", []) if schema.get("additionalProperties") is False else []
    rows = ["| Field | Type | |", "|---|---|---|"]
    for name, field in schema["properties"].items():
        text = " ".join(filter(None, [field.get("description", ""), "Required." if name in asked else ""]))
        rows.append(f"| `{name}` | {_type(field)} | {text} |")
    return "\n".join(rows)


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"] if option.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _problems() -> Iterator[str]:
    yield "## Problems\n"
    yield (
        "Errors are `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, for bodies `errors` "
        f"with one `{{pointer, detail, nearest?}}` for each field. `type` is `{TYPE_BASE}` and the name. 429 and 503 "
        "carry `Retry-After` in seconds.\n"
    )
    yield "| Name | Status | | What to do |\n|---|---|---|---|"
    for problem in sorted(CATALOGUE.values(), key=lambda each: (each.status, each.name)):
        remedy = re.sub(r"\|", r"\\|", problem.remedy)
        yield f"| `{problem.name}` | {problem.status} | {problem.title} | {remedy} |"


if __name__ == "__main__":
    sys.stdout.write(page())
