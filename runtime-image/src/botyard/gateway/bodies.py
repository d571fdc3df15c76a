"""Reading bodies: within a size, within a time, of a shape; what is wrong is said by field."""

import asyncio
import difflib
from typing import Any, TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from botyard.gateway.problems import Problem

M = TypeVar("M", bound=BaseModel)

READ_TIMEOUT_SECONDS = 30.0
"""For the whole body."""
DEFAULT_LIMIT_BYTES = 1_048_576
_MOST_ERRORS = 20


async def read(request: Request, *, limit: int) -> bytes:
    """Return the whole body.

    Args:
        request: The request.
        limit: Most bytes; nothing beyond is kept in memory.

    Raises:
        Problem: `too-large` or `timeout`; `bad-parameter` for a client that went away.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise Problem(
            "timeout", f"The body did not arrive within {READ_TIMEOUT_SECONDS:g} s.", headers={"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise Problem("bad-parameter", "The connection ended before the body did.") from None
    return bytes(body)


def only_json(request: Request) -> None:
    """Refuse bodies that do not say that they are JSON.

    Raises:
        Problem: `unsupported-media-type`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        got = f"not {media_type}" if media_type else "and say so in Content-Type"
        raise Problem("unsupported-media-type", f"Send `application/json`, {got}.")


async def read_json(request: Request, model: type[M], *, limit: int) -> M:
    """Return the body as `model`.

    Raises:
        Problem: `unsupported-media-type`, `too-large`, `timeout`, `malformed-json` or `invalid-body`.
    """
    only_json(request)
    body = await read(request, limit=limit)
    return parse(body, model)


def parse(body: bytes, model: type[M]) -> M:
    """Return JSON text as `model`.

    Raises:
        Problem: `malformed-json` with the place, or `invalid-body` with one error for each field.
    """
    try:
        content = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem("malformed-json", f"The body is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise Problem("malformed-json", f"The body must be a JSON object, not {_kind(content)}.")
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise Problem("invalid-body", errors=field_errors(error, model)) from None


def field_errors(error: ValidationError, model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return what is wrong field by field; an unknown field comes with the nearest valid one."""
    found: list[dict[str, Any]] = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]:
        location = item["loc"]
        entry: dict[str, Any] = {"pointer": _pointer(location), "detail": item["msg"]}
        if item["type"] == "extra_forbidden":
            entry["detail"] = f"There is no field `{location[-1]}`."
            nearest = difflib.get_close_matches(str(location[-1]), _fields_at(model, location[:-1]), n=1, cutoff=0.5)
            if nearest:
                entry["detail"] += f" Did you mean `{nearest[0]}`?"
                entry["nearest"] = nearest[0]
        found.append(entry)
    return found


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    node: dict[str, Any] = schema
    for part in location:
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        if "$ref" in node:
            node = definitions[str(node["$ref"]).rsplit("/", 1)[-1]]
    return list(node.get("properties", {}))


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _too_large(limit: int) -> Problem:
    return Problem(
        "too-large", f"The body has more than {limit} bytes, which is the limit here.", headers={"Connection": "close"}
    )


def _kind(value: object) -> str:
    names = {
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        type(None): "null",
    }
    return names.get(type(value), "something else")
