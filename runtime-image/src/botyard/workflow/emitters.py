"""AIBEmitters: the communicator's methods with named payloads."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.sending import Sending


class _Payload(BaseModel):
    model_config = ConfigDict(extra="allow")

    def members(self) -> dict[str, Any]:
        """Return what was given, with the members that have no field of their own."""
        return self.model_dump(exclude_unset=True) | dict(self.model_extra or {})


class StepPayload(_Payload):
    """A phase of a turn; see `ChatCommunicator.step`."""

    step: str
    status: str
    title: str | None = None
    agent: str | None = None
    data: Any = None
    markdown: str | None = None


class DeltaPayload(_Payload):
    """A piece of a text; see `ChatCommunicator.delta`. Further members go out as `extra`."""

    text: str
    index: int
    marker: str = "answer"
    agent: str = "assistant"
    completed: bool = False


class EventPayload(_Payload):
    """An event of the bundle's own; see `ChatCommunicator.event`."""

    agent: str | None = None
    type: str
    title: str | None = None
    step: str = "event"
    data: Any = None
    markdown: str | None = None
    route: str | None = None
    status: str = "update"


class AIBEmitters:
    """Sends through a communicator: everything that its methods take, or a payload in its place."""

    def __init__(self, comm: ChatCommunicator) -> None:
        self.comm = comm

    def start(self, payload: Mapping[str, Any] | str | None = None, **given: Any) -> Sending:
        """See `ChatCommunicator.start`."""
        return self.comm.start(**({"message": payload} if isinstance(payload, str) else _merged(payload, given)))

    def step(self, payload: StepPayload | Mapping[str, Any] | None = None, **given: Any) -> Sending:
        """See `ChatCommunicator.step`."""
        return self.comm.step(**_merged(payload, given))

    def delta(self, payload: DeltaPayload | Mapping[str, Any] | None = None, **given: Any) -> Sending:
        """See `ChatCommunicator.delta`."""
        return self.comm.delta(**_merged(payload, given))

    def complete(self, payload: Mapping[str, Any] | None = None, **given: Any) -> Sending:
        """Tell that the turn is over; `data` is its result, as is a payload or what else is given."""
        members = _merged(payload, given)
        return self.comm.complete(data=members["data"] if set(members) == {"data"} else members)

    def error(self, payload: Mapping[str, Any] | str | None = None, **given: Any) -> Sending:
        """See `ChatCommunicator.error`."""
        return self.comm.error(
            **({"message": payload, **given} if isinstance(payload, str) else _merged(payload, given))
        )

    def event(self, payload: EventPayload | Mapping[str, Any] | None = None, **given: Any) -> Sending:
        """See `ChatCommunicator.event`."""
        return self.comm.event(**({"agent": None} | _merged(payload, given)))

    def service_event(self, payload: Mapping[str, Any] | None = None, **given: Any) -> Sending:
        """See `ChatCommunicator.service_event`."""
        return self.comm.service_event(**_merged(payload, given))

    def followups(
        self, items: Iterable[str], title: str = "Suggested next actions", agent: str | None = None, **given: Any
    ) -> Sending:
        """Suggest what the user may ask next, as a completed step `followups`."""
        data = {"items": [str(item) for item in items]}
        return self.comm.step(step="followups", status="completed", title=title, agent=agent, data=data, **given)


def _merged(payload: _Payload | Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    members = payload.members() if isinstance(payload, _Payload) else dict(payload or {})
    return members | dict(given)
