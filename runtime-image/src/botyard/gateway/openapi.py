"""/openapi.json, made from the list of operations and the pydantic models."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from botyard.gateway.models.problems import ProblemDetails
from botyard.gateway.operations import OPERATIONS
from botyard.gateway.operations.operation import Operation
from botyard.gateway.problems import CATALOGUE, MEDIA_TYPE

_REFERENCE = "#/components/schemas/{model}"


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the whole API."""
    used: list[type[BaseModel]] = [ProblemDetails]
    for operation in OPERATIONS:
        used += [model for model in (operation.answer, operation.body) if isinstance(model, type)]
    _, definitions = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(used)], ref_template=_REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Botyard gateway",
            "version": _version(),
            "description": "Talk to bots that run on Kubernetes. Errors are problem details of RFC 9457.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    path_parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    parameters = [
        {
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.description,
            "schema": {"type": parameter.schema},
        }
        for parameter in operation.parameters
    ]
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*path_parameters, *parameters],
        "responses": {str(operation.status): _answer(operation), **_problems(operation)},
        "security": [{"bearer": []}] if operation.authenticated else [],
    }
    if isinstance(operation.body, str):
        content: dict[str, Any] = {operation.body: {"schema": {"type": "string"}}}
        made["requestBody"] = {"required": True, "content": content}
    elif operation.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": _schema(operation.body)}}
    return made


def _answer(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        answer["content"] = {"application/json": _schema(operation.answer)}
    if operation.raw:
        answer["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    if operation.streams:
        answer.setdefault("content", {})["text/event-stream"] = {"schema": {"type": "string"}}
    return answer


def _problems(operation: Operation) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for name in operation.problems:
        by_status.setdefault(CATALOGUE[name].status, []).append(name)
    return {
        str(status): {
            "description": "; ".join(f"`{name}`: {CATALOGUE[name].title}" for name in names),
            "content": {MEDIA_TYPE: _schema(ProblemDetails)},
        }
        for status, names in sorted(by_status.items())
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}


def _version() -> str:
    try:
        return version("botyard")
    except PackageNotFoundError:
        return "0"
