"""POST …/compatibility: can the sessions of a bot go on with a revision that does not run yet?"""

import asyncio
from dataclasses import asdict

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.contract.machine import MachineShape
from botyard.gateway import bodies, parameters
from botyard.gateway.access import admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.compatibility import CompatibilityAnswer, CompatibilityRequest, Incompatibility
from botyard.gateway.problems import Problem

_LIMIT_BYTES = 1_048_576
_one_at_a_time = asyncio.Semaphore(1)
"""A census reads every session of a bot: several at once would only take turns on the same processor."""


async def check_compatibility(gateway: Gateway, request: Request) -> Response:
    """Count the stored sessions that a manifest's machine cannot go on with."""
    admission = await admit(gateway, request, verb="operate")
    parameters.only(request)
    body = await bodies.read_json(request, CompatibilityRequest, limit=_LIMIT_BYTES)
    shape = MachineShape.model_validate(body.machine.model_dump())
    _check(shape, "/machine")
    async with _one_at_a_time:
        census = await gateway.census(admission.bot, shape)
    answer = CompatibilityAnswer(
        sessions=census.sessions,
        incompatible=census.incompatible,
        causes=tuple(Incompatibility.model_validate(asdict(group)) for group in census.groups),
    )
    return JSONResponse(answer.model_dump())


def _check(shape: MachineShape, pointer: str) -> None:
    try:
        Draft202012Validator.check_schema(shape.variables or {})
    except SchemaError as error:
        detail = f"This is not a JSON schema: {error.message}"[:500]
        raise Problem("invalid-body", errors=[{"pointer": f"{pointer}/variables", "detail": detail}]) from None
    for name, nested in shape.nested.items():
        _check(nested, f"{pointer}/nested/{name}")
