"""A host of workflows in memory: a relay that keeps what was sent, a turn's platform, tasks."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from botyard import steps
from botyard.core.records import Selection
from botyard.program import Output, TurnOutcome, TurnRequest
from botyard.workflow.program import WorkflowProgram
from botyard.workflow.protocol import ChatTaskPayload

HEAD = """
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
"""


@dataclass
class Sent:
    event: str
    data: dict[str, Any]
    kw: dict[str, Any]


@dataclass
class MemoryRelay:
    sent: list[Sent] = field(default_factory=list)

    async def emit(self, *, event: str, data: dict[str, Any], **kw: Any) -> None:
        self.sent.append(Sent(event, data, kw))

    @property
    def events(self) -> list[str]:
        return [each.event for each in self.sent]


class TurnPlatform:
    """What a turn may ask of the runtime, and what it did."""

    def __init__(self) -> None:
        self.emitted: list[Output] = []
        self.records: dict[str, Any] = {}

    async def emit(self, output: Output) -> None:
        self.emitted.append(output)

    async def register_reference(self, reference: str) -> None:
        raise NotImplementedError

    async def read_records(self, names: Sequence[str] = (), *, key: str = "", **how: Any) -> dict[str, Any]:
        return Selection.of({"names": names, **how}).of_all(self.records)

    async def collections(self) -> dict[str, int]:
        return {}

    async def step(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        return await run(name)

    async def model(self, kind: str, body: dict[str, Any], role: str, on_event: Any) -> dict[str, Any]:
        raise NotImplementedError


class Conversation:
    """Turns of one conversation with a bundle, one after the other."""

    def __init__(self, program: WorkflowProgram) -> None:
        self.program = program
        self.state: dict[str, Any] | None = None
        self.platform = TurnPlatform()

    async def say(self, text: str, *, config: dict[str, Any] | None = None, **payload: Any) -> TurnOutcome:
        self.platform.emitted.clear()
        turn = str(len(self.platform.records) + 1)
        request = TurnRequest(
            event=f"event{turn}",
            turn=f"turn{turn}",
            key="conv1",
            payload={"text": text, "user": "u1", **payload},
            state=self.state,
            config=config,
        )
        steps.bind(self.platform)
        outcome = await self.program.run_turn(request, self.platform)
        if outcome.error is None:
            self.state = outcome.state
            self.platform.records |= outcome.records
        return outcome

    @property
    def types(self) -> list[str]:
        return [output.type for output in self.platform.emitted]


def bundle(folder: Path, code: str, name: str = "agentic_app.py") -> Path:
    """Write a bundle of one module with the usual imports."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEAD + dedent(code))
    return folder


def converse(folder: Path, code: str, **config: Any) -> Conversation:
    return Conversation(WorkflowProgram.load(bundle(folder, code), config=config, namespace="shop"))


def task(**parts: Any) -> ChatTaskPayload:
    """Return the task that the recorded messages belong to."""
    return ChatTaskPayload.model_validate(
        {
            "routing": {
                "session_id": "sess1",
                "conversation_id": "conv1",
                "turn_id": "turn1",
                "socket_id": "stream1",
            },
            "actor": {"tenant_id": "t1", "project_id": "p1"},
            "user": {"user_type": "registered", "user_id": "u1"},
            "request": {"message": "hello", "request_id": "req1"},
        }
        | parts
    )
