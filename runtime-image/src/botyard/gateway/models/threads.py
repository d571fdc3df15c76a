"""Bodies of threads with a model and of the calls that wait for a person."""

from typing import Any, Literal

from pydantic import Field

from botyard.gateway.models.base import Answer, Body


class ThreadRequest(Body):
    """What a user says to a Persona."""

    text: str = Field(min_length=1)
    title: str = Field(default="", max_length=120, description="Of a new thread; left out: its first line.")
    expert: str = Field(default="", max_length=100, description="Of a new thread; empty: the default expert.")


class WaitingCall(Answer):
    """A call of a tool that waits for a person."""

    call: str = Field(description="Confirm it by …/calls/{call}/confirm.")
    tool: str
    arguments: str = Field(default="", description="As the model wrote them.")
    command: str = ""
    explanation: str = ""


class ThreadSummary(Answer):
    """A thread. Times are seconds since 1970."""

    id: str
    conversation: str = Field(description="Read its events as those of a conversation.")
    title: str
    expert: str
    waits_for: Literal["user", "assistant", "tools"]
    error: str | None = None
    task: str | None = None
    created: float
    updated: float
    archived: bool
    coins: int = Field(default=0, description="What it has cost: 1 coin is 1 microdollar.")
    confirmations: tuple[WaitingCall, ...] = Field(default=(), description="Calls of tools that wait for a person.")


class ThreadChange(Body):
    """What is to be changed of a thread."""

    title: str | None = Field(default=None, min_length=1, max_length=200)
    archived: bool | None = Field(default=None, description="An archived thread answers nobody until it is back.")


class ThreadMessage(Answer):
    """One message of a thread."""

    num: int
    role: str
    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    call: str | None = Field(default=None, description="Of a tool's result: the call that it answers.")
    created: float


class ThreadList(Answer):
    """Threads in the order of their identifiers."""

    threads: tuple[ThreadSummary, ...]
    last: str = Field(description="Give it as `after` to read on; empty: there are no more.")


class ThreadAnswer(ThreadSummary):
    """A thread with its newest messages."""

    messages: tuple[ThreadMessage, ...] = ()


class Decision(Body):
    """What a person decides on one call of a tool."""

    call: str = Field(max_length=200)
    allow: bool
    reason: str = Field(default="", max_length=2000)


class ConfirmRequest(Body):
    """What a person decides on a call of a tool."""

    allow: bool
    reason: str = Field(default="", max_length=2000, description="Told to the model.")
    others: tuple[Decision, ...] = Field(
        default=(), max_length=64, description="Other calls that wait, decided with it."
    )
