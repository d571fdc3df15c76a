"""POST …/turns/{turn}/cancel and …/interrupt: turns that are no longer wanted."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.gateway import parameters
from botyard.gateway.access import admit, conversation_of
from botyard.gateway.context import Gateway
from botyard.gateway.models.conversations import Interrupted
from botyard.gateway.problems import Problem

_TURN = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_LOOKED_AT = 1000
"""Finished turns among which one is looked for; those before are answered like turns that never were."""


async def cancel_turn(gateway: Gateway, request: Request) -> Response:
    """Ask for a waiting or running turn to be cancelled; its last event tells how it ended."""
    admission = await admit(gateway, request)
    parameters.only(request)
    conversation = await conversation_of(admission, request, or_verb="operate")
    turn = str(request.path_params["turn"])
    if not _TURN.fullmatch(turn):
        raise Problem("unknown-turn")
    if await gateway.cancellations.request(admission.bot, conversation, turn):
        return Response(status_code=202)
    found = await gateway.conversations.describe(admission.bot, conversation, turns=_LOOKED_AT)
    for record in found.turns if found else ():
        if record["turn"] == turn:
            raise Problem("turn-finished", f"The turn has ended already: {record['state']}.")
    raise Problem("unknown-turn")


async def interrupt(gateway: Gateway, request: Request) -> Response:
    """Ask for everything that is open in a conversation to be cancelled; what is sent from now on is run."""
    admission = await admit(gateway, request)
    parameters.only(request)
    conversation = await conversation_of(admission, request, or_verb="operate")
    turns = await gateway.cancellations.interrupt(admission.bot, conversation)
    return JSONResponse(Interrupted(turns=turns).model_dump(), status_code=202)
