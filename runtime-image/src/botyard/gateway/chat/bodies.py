"""What clients send: one shape of many, read with bounds."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from botyard.core.files import MAX_BYTES
from botyard.gateway import bodies
from botyard.gateway.chat.attachments import MOST_FILES, Attachment, attachment
from botyard.gateway.problems import Problem

JSON_BYTES = 4 * 1024 * 1024
"""Of a body, or of the part of a form, that is JSON: text, payload and history."""
FORM_BYTES = MAX_BYTES + JSON_BYTES
SOCKET_BYTES = FORM_BYTES
"""Of one message over a socket, with its files."""
UPLOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One message of a client."""

    text: str
    bundle_id: str = ""
    conversation: str = ""
    turn: str = ""
    """The client's own id of the turn; a second message of this id is the same message."""
    operation: str = ""
    invocation: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    history: list[Any] = field(default_factory=list)
    time_zone: str = ""
    files: tuple[Attachment, ...] = ()


def parse(content: Any, files: tuple[Attachment, ...] = ()) -> ChatRequest:
    """Return a message; what belongs to it may lie in `message` or beside it.

    Raises:
        Problem: `missing-message` or `invalid-body`.
    """
    if isinstance(content, str):
        content = {"message": content}
    if not isinstance(content, dict):
        raise Problem("missing-message", "The body must be an object with `message`.", code="missing_message")
    said = content.get("message")
    inner = said if isinstance(said, dict) else {"text": said} if isinstance(said, str) else {}
    both = {**content, **{name: value for name, value in inner.items() if value is not None}}
    text = both.get("text") if isinstance(inner.get("text"), str) else inner.get("message", both.get("text"))
    config = _object(both, "config")
    request = ChatRequest(
        text=_text({"text": text}, "text", most=None),
        bundle_id=_first(both, "bundle_id", "agentic_bundle_id") or _first(config, "agentic_bundle_id", "bundle_id"),
        conversation=_text(both, "conversation_id"),
        turn=_text(both, "turn_id"),
        operation=_text(both, "operation"),
        invocation=_text(both, "invocation"),
        config=config,
        payload=_object(both, "payload"),
        history=_list(both, "chat_history"),
        time_zone=_text(both, "timezone"),
        files=files,
    )
    if not (request.text.strip() or request.payload or request.files or request.operation):
        raise Problem("missing-message", "The message is empty.", code="missing_message")
    return request


async def read(request: Request) -> ChatRequest:
    """Return the message of a request: JSON, or a form whose field `message` is JSON and whose files are attached.

    Raises:
        Problem: The body is too large, of another type, or no message.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request)
    body = await bodies.read(request, limit=JSON_BYTES)
    return parse(from_json(body))


async def read_small(request: Request) -> bytes:
    """Return a body of at most 64 KiB.

    Raises:
        Problem: As `botyard.gateway.bodies.read`.
    """
    return await bodies.read(request, limit=64 * 1024)


def from_json(body: bytes | str) -> Any:
    """Return JSON text's content.

    Raises:
        Problem: `malformed-json`.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("malformed-json", f"The body is not JSON: {str(error)[:200]}.") from None


async def _read_form(request: Request) -> ChatRequest:
    declared = request.headers.get("content-length", "")
    if not declared.isdigit():
        raise Problem("length-required", headers={"Connection": "close"})
    if int(declared) > FORM_BYTES:
        raise too_large()
    try:
        async with (
            asyncio.timeout(UPLOAD_SECONDS),
            request.form(max_files=MOST_FILES, max_fields=50, max_part_size=JSON_BYTES) as form,
        ):
            files: list[Attachment] = []
            fields: dict[str, str] = {}
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    content = await value.read()
                    files.append(attachment(value.filename, value.content_type, content, len(files)))
                else:
                    fields.setdefault(name, value)
    except TimeoutError:
        raise Problem("timeout", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem("bad-parameter", "The connection ended before the body did.") from None
    except (MultiPartException, HTTPException) as error:
        told = str(getattr(error, "detail", "") or error)
        if "Too many" in told or "exceeded" in told:
            raise Problem("too-large", told[:200], headers={"Connection": "close"}) from None
        raise Problem("malformed-json", f"The form cannot be read: {told[:200]}") from None
    return parse(_content(fields), tuple(files))


def _content(fields: dict[str, str]) -> Any:
    """Return a form's fields as the body that they stand for."""
    found: dict[str, Any] = {name: _loose(value) for name, value in fields.items() if name != "message"}
    message = fields.get("message", "")
    told = _loose(message)
    # A form's `message` is the whole body, or its member of this name, or plain text.
    if isinstance(told, dict):
        return {**found, **told} if "message" in told else {**found, "message": told}
    return {**found, "message": message}


def _loose(value: str) -> Any:
    if value[:1] not in "{[":
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def too_large() -> Problem:
    """Return the refusal of a body that is too large."""
    return Problem(
        "too-large", f"Files of one message may have {MAX_BYTES} bytes together.", headers={"Connection": "close"}
    )


def _first(content: dict[str, Any], *names: str) -> str:
    return next((found for name in names if (found := _text(content, name))), "")


def _text(content: dict[str, Any], name: str, *, most: int | None = 200) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or (most is not None and len(value) > most):
        limit = f" of at most {most} characters" if most else ""
        raise Problem("invalid-body", errors=[{"pointer": f"/message/{name}", "detail": f"This is a text{limit}."}])
    return value


def _object(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Problem("invalid-body", errors=[{"pointer": f"/message/{name}", "detail": "This is an object."}])
    return value


def _list(content: dict[str, Any], name: str) -> list[Any]:
    value = content.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Problem("invalid-body", errors=[{"pointer": f"/message/{name}", "detail": "This is a list."}])
    return value
