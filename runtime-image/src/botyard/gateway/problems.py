"""Everything that can go wrong, as problem details of RFC 9457: one documented `type` for each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://botyard.dev/problems/"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A documented kind of problem; its name is the last part of the `type` URI and never changes."""

    name: str
    status: int
    title: str
    remedy: str

    @property
    def uri(self) -> str:
        """The value of `type` in answers."""
        return TYPE_BASE + self.name


def _catalogue(*types: ProblemType) -> dict[str, ProblemType]:
    return {problem_type.name: problem_type for problem_type in types}


CATALOGUE: Mapping[str, ProblemType] = _catalogue(
    ProblemType("malformed-json", 400, "The body is not JSON", "Send one JSON object, encoded as UTF-8."),
    ProblemType("bad-parameter", 400, "A parameter is not valid", "Correct the parameter that `detail` names."),
    ProblemType("missing-message", 400, "There is no message", "Send `message.text`, `message.payload` or a file."),
    ProblemType(
        "unknown-bundle",
        400,
        "There is no such bundle",
        "Name a Bot in `message.bundle_id`, or none for the namespace's default. No other bot answers in its place.",
    ),
    ProblemType("input-too-long", 400, "The text is too long", "Send less, or raise the Bot's `spec.limits.maxInput`."),
    ProblemType(
        "attachment-rejected",
        400,
        "A file is not taken",
        "Leave out the file that `detail` names; programs are not taken.",
    ),
    ProblemType("unauthenticated", 401, "Who you are is not known", "Send `Authorization: Bearer <token>`."),
    ProblemType(
        "forbidden",
        403,
        "You may not do this",
        "Ask for the verb that `detail` names on the resource `bots` of the group `botyard.dev`. The answer is the "
        "same whether or not the bot exists.",
    ),
    ProblemType(
        "not-genuine",
        403,
        "The request does not come from the channel's other side",
        "Sign it with the channel's secret, as the channel's protocol says.",
    ),
    ProblemType(
        "conversation-of-another-user",
        403,
        "The conversation belongs to another user",
        "Start a conversation of your own by leaving `conversation` out.",
    ),
    ProblemType("not-found", 404, "There is nothing at this path", "Look at /openapi.json for what there is."),
    ProblemType("unknown-bot", 404, "There is no such bot", "GET /v1/bots lists the bots that you may use."),
    ProblemType("unknown-persona", 404, "The bot has no such persona", "GET /v1/bots lists the personas of each bot."),
    ProblemType("unknown-task", 404, "There is no such task", "List the board: it may be gone, or not be there yet."),
    ProblemType("unknown-document", 404, "There is no such document", "List the documents that there are."),
    ProblemType("document-changed", 409, "The document was changed meanwhile", "Read it again, then write."),
    ProblemType(
        "unknown-conversation",
        404,
        "There is no such conversation",
        "Check the identifier. Conversations of other users are answered in the same way.",
    ),
    ProblemType(
        "unknown-turn",
        404,
        "There is no such turn",
        "GET the conversation: it lists its turns. Only the newest 1,000 that ended are looked at.",
    ),
    ProblemType(
        "unknown-letter", 404, "There is no such dead letter", "List them again: somebody may have been quicker."
    ),
    ProblemType(
        "unknown-file",
        404,
        "There is no such file",
        "Send the file first. Files expire; those of other users and other bots are answered in the same way.",
    ),
    ProblemType("unknown-document", 404, "There is no such document", "List the collection: it may be gone already."),
    ProblemType(
        "unknown-reference",
        404,
        "There is no such callback reference",
        "Send the reference that the bot handed out, unchanged; references expire.",
    ),
    ProblemType("unknown-channel", 404, "There is no such channel", "Look at the address: `/v1/channels/NAME`."),
    ProblemType("method-not-allowed", 405, "The path does not take this method", "See the header `Allow`."),
    ProblemType("timeout", 408, "The body did not arrive in time", "Send the whole body at once."),
    ProblemType(
        "reference-used", 409, "The callback reference has been used", "Nothing: the first callback was accepted."
    ),
    ProblemType(
        "not-forkable",
        409,
        "The state after that turn is not kept",
        "Name a turn that the problem lists, or none for the newest. Only the newest states are kept, and none "
        "from before a lasting record was changed.",
    ),
    ProblemType(
        "budget-unusable", 409, "The budget cannot be counted", "Correct the Persona's `spec.budget`, as `detail` says."
    ),
    ProblemType("turn-finished", 409, "The turn has ended", "Nothing: what it has committed stays."),
    ProblemType(
        "history-expired",
        410,
        "Events after this id are no longer kept",
        "Read the conversation without `after` and without Last-Event-ID, which gives what is still kept.",
    ),
    ProblemType("length-required", 411, "The size is not known", "Send the file with Content-Length, not in chunks."),
    ProblemType(
        "too-large", 413, "The body is too large", "Send less, or ask for a higher `spec.limits.maxInput` of the Bot."
    ),
    ProblemType("unsupported-media-type", 415, "The body has the wrong media type", "Send `application/json`."),
    ProblemType(
        "misdirected", 421, "The Host header names another server", "Use the address that the gateway listens on."
    ),
    ProblemType("invalid-body", 422, "The body does not have the right shape", "Correct what `errors` lists."),
    ProblemType("rate-limited", 429, "Too many requests", "Wait for the seconds in Retry-After, then send again."),
    ProblemType(
        "quota-exceeded",
        429,
        "The user's requests of the day are spent",
        "Wait for the seconds in Retry-After, or ask for a higher `spec.quotas.perUser.requestsPerDay` of the Bot.",
    ),
    ProblemType(
        "overloaded",
        429,
        "The bot has too many messages waiting",
        "Wait for the seconds in Retry-After, then send again; give the Bot more replicas if it lasts.",
    ),
    ProblemType(
        "under-pressure",
        503,
        "Too many messages wait for the bot",
        "Send again after Retry-After; give the Bot more replicas if it lasts.",
    ),
    ProblemType(
        "files-full", 507, "The bot's files take all their room", "Wait until older files expire, or raise the limit."
    ),
    ProblemType(
        "knowledge-full", 507, "The bot's documents take all their room", "Delete documents that are no longer needed."
    ),
    ProblemType("internal-error", 500, "The gateway failed", "Send again; look at the gateway's log if it lasts."),
    ProblemType(
        "bot-not-ready",
        503,
        "The bot is not ready",
        "`detail` is the message of the Bot's Ready condition. Send again after Retry-After, or with `queue: true`, "
        "which has the message wait until the bot is ready.",
    ),
    ProblemType(
        "channel-unavailable", 503, "The other side of the channel does not answer", "Send again after Retry-After."
    ),
    ProblemType(
        "storage-unavailable", 503, "The event store cannot be reached", "Nothing was accepted: send again later."
    ),
    ProblemType(
        "authentication-unavailable",
        503,
        "Tokens or permissions cannot be checked at the moment",
        "Send again after Retry-After.",
    ),
    ProblemType(
        "too-many-streams", 503, "Too many event streams are open", "Close streams, or send again after Retry-After."
    ),
    ProblemType("draining", 503, "This gateway is shutting down", "Send again: another replica answers."),
)


class Problem(Exception):
    """Raised by a call to answer with a problem of the catalogue.

    Args:
        name: Name in `CATALOGUE`.
        detail: What is wrong with this very request, and what to do; shown to the caller.
        retry_after: Seconds for the header Retry-After.
        headers: More headers of the answer.
        errors: One entry for each thing wrong in a body.
        code: What workflow clients know the problem by.
    """

    def __init__(
        self,
        name: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        code: str = "",
    ) -> None:
        self.type = CATALOGUE[name]
        self.detail = detail or self.type.remedy
        self.headers = dict(headers or {})
        self.errors = list(errors)
        self.code = code
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        super().__init__(f"{name}: {self.detail}")

    def to_response(self) -> Response:
        """Return the answer."""
        content: dict[str, Any] = {
            "type": self.type.uri,
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail,
        }
        if self.errors:
            content["errors"] = self.errors
        if self.code:
            content |= {"error": self.code, "code": self.code}
        return JSONResponse(content, self.type.status, headers=self.headers, media_type=MEDIA_TYPE)
