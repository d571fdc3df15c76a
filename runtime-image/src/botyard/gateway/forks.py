"""POST …/conversations/{c}/fork: another try from where a conversation was."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core.forks import NotForkable
from botyard.gateway import parameters
from botyard.gateway.access import admit, conversation_of
from botyard.gateway.context import Gateway
from botyard.gateway.models.conversations import Forked
from botyard.gateway.problems import Problem


async def fork_conversation(gateway: Gateway, request: Request) -> Response:
    """Begin a conversation that belongs to the caller; the one that is forked is not touched."""
    admission = await admit(gateway, request)
    parameters.only(request, "after")
    conversation = await conversation_of(admission, request, or_verb="operate")
    after = request.query_params.get("after", "")[:200]
    try:
        fork = await gateway.forks.fork(admission.bot, conversation, after=after, user=admission.principal.subject)
    except NotForkable as error:
        turns = ", ".join(error.turns) or "none yet"
        raise Problem("not-forkable", f"It can be forked after these turns: {turns}.") from error
    return JSONResponse(Forked(conversation=fork).model_dump(), status_code=201)
