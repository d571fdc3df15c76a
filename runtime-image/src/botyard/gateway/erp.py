"""/v1/namespaces/{ns}/erp/{table}: rows of the company's database that changed, for the Personas that subscribed."""

import re
from typing import Any

import pydantic_core
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.errors import Overloaded
from botyard.erp import debezium
from botyard.erp.changes import Change
from botyard.erp.delivery import Delivered, Delivery
from botyard.gateway import bodies, parameters
from botyard.gateway.access import admit_namespace
from botyard.gateway.context import Gateway
from botyard.gateway.models.erp import ErpAnswer
from botyard.gateway.problems import Problem
from botyard.loop.erp_schema import TABLES

MAX_BYTES = 8 * 1_048_576
MAX_CHANGES = 1_000
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MOST_ERRORS = 20


async def post_changes(gateway: Gateway, request: Request) -> Response:
    """Take changes of a table's rows and store them for every Persona that subscribed to them."""
    namespace = await admit_namespace(gateway, request, verb="actas")
    parameters.only(request)
    table = str(request.path_params["table"])
    if not _TABLE.fullmatch(table):
        raise Problem("bad-parameter", "The table in the path is no name of a table.")
    changes = _changes(await _read(request), table)
    delivery = Delivery(gateway.inbox, gateway.waker.need, max_pending=gateway.max_pending)
    done = Delivered()
    try:
        await delivery.deliver(gateway.table.subscriptions(namespace), table, changes, done)
    except Overloaded as error:
        raise _unfinished(error, done, len(changes)) from None
    gateway.metrics.accepted.labels("erp", "false").inc(done.accepted)
    gateway.metrics.accepted.labels("erp", "true").inc(done.duplicate)
    answer = ErpAnswer(accepted=done.accepted, duplicate=done.duplicate, deliveries=done.deliveries)
    return JSONResponse(answer.model_dump(), 202)


async def _read(request: Request) -> Any:
    """Return the body: an object, or a list of objects.

    Raises:
        Problem: `unsupported-media-type`, `too-large`, `timeout` or `malformed-json`.
    """
    bodies.only_json(request)
    body = await bodies.read(request, limit=MAX_BYTES)
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem("malformed-json", f"The body is not JSON: {error}.") from None


def _changes(content: Any, table: str) -> list[Change]:
    """Return the changes of a body, in its order.

    Raises:
        Problem: `invalid-body` with one error for each change that is none; then none is taken.
    """
    documents = content if isinstance(content, list) else [content]
    if len(documents) > MAX_CHANGES:
        raise Problem("invalid-body", f"{len(documents)} changes are too many at once: send at most {MAX_CHANGES}.")
    archived = TABLES[table].archived if table in TABLES else ""
    found: list[Change] = []
    errors: list[dict[str, Any]] = []
    for number, document in enumerate(documents):
        place = f"/{number}" if isinstance(content, list) else ""
        try:
            if debezium.is_envelope(document):
                change = debezium.read(document, table)
            else:
                change = Change.model_validate(document)
        except ValidationError as error:
            wrong = bodies.field_errors(error, Change)
            errors += [{**entry, "pointer": place + entry["pointer"]} for entry in wrong]
        except debezium.EnvelopeError as error:
            errors.append({"pointer": place, "detail": f"{error}."})
        else:
            found += [change.told_apart(archived)] if change is not None else []
    if errors:
        raise Problem("invalid-body", errors=errors[:_MOST_ERRORS])
    return found


def _unfinished(error: Overloaded, done: Delivered, total: int) -> Problem:
    finished = done.accepted + done.duplicate
    detail = (
        f"{error.pending} events wait already. The first {finished} of {total} changes were taken: "
        "send the others again, with the same ids."
    )
    return Problem("overloaded", detail, retry_after=error.retry_after)
