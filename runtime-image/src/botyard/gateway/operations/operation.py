"""What an operation of the HTTP API is, and what those of one kind share: paths, problems, pages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from botyard.gateway.context import Gateway

Call = Callable[[Gateway, Request], Awaitable[Response]]

BASE = "/v1/namespaces/{namespace}/bots/{bot}"
PERSONA = BASE + "/personas/{persona}"

BOT_PROBLEMS = ("bad-parameter", "unauthenticated", "forbidden", "unknown-bot", "authentication-unavailable")
MESSAGE_PROBLEMS = (
    *BOT_PROBLEMS,
    "malformed-json",
    "conversation-of-another-user",
    "unknown-persona",
    "timeout",
    "too-large",
    "unsupported-media-type",
    "invalid-body",
    "rate-limited",
    "quota-exceeded",
    "overloaded",
    "unknown-file",
    "bot-not-ready",
    "storage-unavailable",
)
PERSONA_PROBLEMS = (*BOT_PROBLEMS, "unknown-persona", "rate-limited", "storage-unavailable")
CHANGE_PROBLEMS = (
    *PERSONA_PROBLEMS,
    "malformed-json",
    "timeout",
    "too-large",
    "unsupported-media-type",
    "invalid-body",
    "overloaded",
    "bot-not-ready",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a call."""

    name: str
    place: str
    description: str
    schema: str = "string"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API."""

    method: str
    path: str
    call: Call
    summary: str
    status: int
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | str | None = None
    """A model, or the media type of a raw body."""
    problems: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    authenticated: bool = True
    streams: bool = False
    raw: bool = False
    """The answer is bytes of any media type."""

    @property
    def name(self) -> str:
        """The operation's identifier."""
        return self.call.__name__


PAGE = (
    Parameter("after", "query", "Go on after this one: `last` of the page before."),
    Parameter("limit", "query", "Most of a page, 1 to 1000.", "integer"),
)
