"""GET and DELETE …/conversations/{c}: what became of a conversation, and its end."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.gateway import parameters
from botyard.gateway.access import admit, conversation_of
from botyard.gateway.context import Gateway
from botyard.gateway.models.conversations import ConversationAnswer, Turn, TurnFailure
from botyard.gateway.problems import Problem


async def get_conversation(gateway: Gateway, request: Request) -> Response:
    """Describe a conversation."""
    admission = await admit(gateway, request)
    parameters.only(request, "turns")
    most = parameters.number(request, "turns", default=200, least=1, most=1000)
    conversation = await conversation_of(admission, request)
    found = await gateway.conversations.describe(admission.bot, conversation, turns=most)
    if found is None:
        raise Problem("unknown-conversation")
    answer = ConversationAnswer(
        conversation=conversation,
        user=found.user,
        created=found.created_ms,
        ended=found.ended,
        last=str(found.outputs),
        turns=tuple(_turn(turn) for turn in found.turns),
    )
    return JSONResponse(answer.model_dump(exclude_none=True))


async def delete_conversation(gateway: Gateway, request: Request) -> Response:
    """End a conversation: its session starts afresh with the next message; its events stay readable."""
    admission = await admit(gateway, request)
    parameters.only(request)
    conversation = await conversation_of(admission, request)
    if not await gateway.conversations.end(admission.bot, conversation):
        raise Problem("unknown-conversation")
    return Response(status_code=204)


def _turn(record: dict[str, object]) -> Turn:
    error = record.get("error")
    failure = None
    if isinstance(error, dict):
        failure = TurnFailure.model_validate(error)
    elif error:
        failure = TurnFailure(kind="error", message=str(error))
    return Turn.model_validate({**record, "error": failure})
