"""Dead letters: events that were given up, for the people who run a bot."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.dead_letters import DeadLetter as Stored
from botyard.gateway import parameters
from botyard.gateway.access import Admission, admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.conversations import TurnFailure
from botyard.gateway.models.dead_letters import DeadLetter, DeadLetterList
from botyard.gateway.problems import Problem

_LETTER = re.compile(r"(\d{1,3}):(\d{1,15})-\d{1,15}", re.ASCII)


async def list_dead_letters(gateway: Gateway, request: Request) -> Response:
    """List the oldest dead letters of a bot."""
    admission = await _admit_operator(gateway, request)
    parameters.only(request, "limit", "after")
    limit = parameters.number(request, "limit", default=50, least=1, most=200)
    after = request.query_params.get("after", "")
    if after and not _LETTER.fullmatch(after):
        raise Problem("bad-parameter", "`after` must be the id of a dead letter.")
    found = await gateway.dead_letters.list(admission.bot, after=after, count=limit + 1)
    letters = tuple(_answer(letter) for letter in found[:limit])
    return JSONResponse(DeadLetterList(letters=letters, more=len(found) > limit).model_dump())


async def requeue_dead_letter(gateway: Gateway, request: Request) -> Response:
    """Have the event run again, behind what waits in its conversation."""
    admission = await _admit_operator(gateway, request)
    parameters.only(request)
    if not await gateway.dead_letters.requeue(admission.bot, _letter(admission, request)):
        raise Problem("unknown-letter")
    return Response(status_code=202)


async def drop_dead_letter(gateway: Gateway, request: Request) -> Response:
    """Forget the event for good."""
    admission = await _admit_operator(gateway, request)
    parameters.only(request)
    if not await gateway.dead_letters.drop(admission.bot, _letter(admission, request)):
        raise Problem("unknown-letter")
    return Response(status_code=204)


async def _admit_operator(gateway: Gateway, request: Request) -> Admission:
    return await admit(gateway, request, verb="operate")


def _letter(admission: Admission, request: Request) -> str:
    """Return the letter of the path.

    Raises:
        Problem: `unknown-letter` for what cannot be one.
    """
    letter = str(request.path_params["letter"])
    match = _LETTER.fullmatch(letter)
    if match is None or int(match[1]) >= admission.bot.partitions:
        raise Problem("unknown-letter")
    return letter


def _answer(letter: Stored) -> DeadLetter:
    record = letter.record
    return DeadLetter(
        id=letter.id,
        conversation=record["key"],
        turn=record["turn"],
        event=record["event"],
        kind=record["kind"],
        user=record["user"],
        accepted=int(record["at"]),
        given_up=letter.position[0],
        payload=record["payload"],
        error=TurnFailure.model_validate(record["error"]),
    )
