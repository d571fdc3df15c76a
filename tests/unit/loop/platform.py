"""A platform in memory for turns of loop bots: records, a journal, a model that says what a test scripts."""

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from botyard.contract.persona import PersonaConfig
from botyard.core.records import Selection
from botyard.loop.answers import ModelFailed
from botyard.loop.compaction import INSTRUCTION
from botyard.loop.context import RobotContext
from botyard.loop.declaration import BotDeclaration
from botyard.loop.install import FMarketplaceExpertInput, Installation
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.personas import FPersonaOutput
from botyard.loop.shutdown import shutdown_event
from botyard.loop.thread_turns import ThreadTurns
from botyard.loop.tools import CloudTool
from botyard.program import NextEvent, Output, TurnIO, TurnOutcome, TurnRequest

PERSONA = PersonaConfig(name="nora")


class MemoryIO:
    """What one run of a turn asks of the platform."""

    def __init__(self, platform: "Platform", key: str, event: str) -> None:
        self._platform = platform
        self._key = key
        self._journal = platform.journals.setdefault(event, [])
        self._ordinal = 0
        self._event = event
        self.emitted: list[Output] = []

    async def emit(self, output: Output) -> None:
        self.emitted.append(output)

    async def register_reference(self, reference: str) -> None:
        raise NotImplementedError

    async def read_records(self, names: Sequence[str] = (), *, key: str = "", **how: Any) -> dict[str, Any]:
        kept = self._platform.records.get(key or self._key, {})
        return copy.deepcopy(Selection.of({"names": names, **how}).of_all(kept))

    async def step(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        ordinal, self._ordinal = self._ordinal, self._ordinal + 1
        asked = json.dumps([name, request])
        if ordinal < len(self._journal):
            before, kept = self._journal[ordinal]
            assert asked == before, "a re-run asks for something else"
            return copy.deepcopy(kept)
        result = await run(f"{self._event}:{ordinal}")
        self._journal.append((asked, json.loads(json.dumps(result))))
        return result

    async def model(self, *_: Any) -> dict[str, Any]:
        raise NotImplementedError


class Platform:
    """One Persona's threads, with what is committed of them."""

    def __init__(
        self, folder: Path, tools: Sequence[CloudTool] = (), **handlers: Callable[..., Awaitable[Any]]
    ) -> None:
        self.states: dict[str, dict[str, Any] | None] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.journals: dict[str, list[Any]] = {}
        self.outputs: list[Output] = []
        self.events: list[NextEvent] = []
        self.heard: list[NextEvent] = []
        """Those that were delivered."""
        self.answers: list[dict[str, Any] | Exception] = []
        """What the model says, one after the other."""
        self.asked: list[dict[str, Any]] = []
        self.roles: list[str] = []
        """As whom the model was asked."""
        self.summed: list[str] = []
        """What the model was asked to sum up."""
        self.cannot_sum_up = ""
        """Code with which it fails to."""
        self.installation = Installation(
            experts={
                "default": FMarketplaceExpertInput(fexp_system_prompt="You are Nora."),
                "reader": FMarketplaceExpertInput(fexp_system_prompt="You read.", fexp_allow_tools="look*"),
            }
        )
        self._handlers = handlers
        bot = BotDeclaration("clerk", "1.0.0", self._main, tuple(tools), None, (), "document", None)
        self.loop = PersonaLoop(
            bot, FPersonaOutput("nora", ws_id="shop"), workdir=folder, told=lambda health: None, post=self.post
        )
        self.turns = ThreadTurns(self.installation, tools, self._model)
        self._count = 0

    async def _main(self, client: Any, rcx: RobotContext) -> None:
        for name, handler in self._handlers.items():
            rcx.on_tool_call(name)(handler)
        while not shutdown_event.is_set():
            await rcx.unpark_collected_events(3600)

    async def post(self, key: str, payload: dict[str, Any]) -> None:
        self.events.append(NextEvent(kind="action", key=key, payload=payload))

    async def _model(self, io: TurnIO, body: dict[str, Any], role: str = "") -> dict[str, Any]:
        self.roles.append(role)
        if body["messages"][0]["content"] == INSTRUCTION:
            # Part of a step, which keeps it.
            self.summed.append(body["messages"][1]["content"])
            if self.cannot_sum_up:
                raise ModelFailed("no", self.cannot_sum_up)
            return {"choices": [{"message": {"content": f"summary {len(self.summed)}"}}]}

        async def run(key: str) -> dict[str, Any]:
            self.asked.append(copy.deepcopy(body))
            said = self.answers.pop(0)
            if isinstance(said, Exception):
                raise said
            if "choices" in said or "malformed" in said:
                return said
            return {"choices": [{"message": said}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "coins": 2}}

        result: dict[str, Any] = await io.step("model", body, run)
        return result

    async def run(
        self, payload: dict[str, Any], *, thread: str = "t1", commit: bool = True, event: str = ""
    ) -> TurnOutcome:
        """Run one event of a thread and commit it."""
        key = f"nora~{thread}"
        self._count += 1
        event = event or f"e{self._count}"
        kind = "action" if "action" in payload else "message"
        request = TurnRequest(
            event=event, turn=event, key=key, kind=kind, payload=payload, state=copy.deepcopy(self.states.get(key)),
            persona=PERSONA,
        )  # fmt: skip
        outcome = await self.turns.run(request, MemoryIO(self, key, event), self.loop)
        if commit:
            self.states[key] = json.loads(json.dumps(outcome.state))
            self.records.setdefault(key, {}).update(json.loads(json.dumps(outcome.records)))
            self.outputs += outcome.outputs
            self.events += outcome.events
        return outcome

    async def say(self, text: str, **how: Any) -> TurnOutcome:
        """A user says something in a thread."""
        return await self.run({"text": text, "user": "ada"}, **how)

    async def deliver(self) -> None:
        """Run what was caused for threads until nothing is left."""
        while self.events:
            event = self.events.pop(0)
            self.heard.append(event)
            if "~" in event.key:
                await self.run(event.payload, thread=event.key.partition("~")[2])

    def messages(self, thread: str = "t1") -> list[tuple[str, Any]]:
        """Role and content of what is kept of a thread."""
        kept = self.records.get(f"nora~{thread}", {})
        return [(kept[name]["ftm_role"], kept[name]["ftm_content"]) for name in sorted(kept)]

    def thread(self, thread: str = "t1") -> dict[str, Any]:
        """The fields of a thread."""
        state = self.states[f"nora~{thread}"]
        assert state is not None
        fields: dict[str, Any] = state["thread"]
        return fields

    async def close(self) -> None:
        self.loop.stop()
        await asyncio.to_thread(self.loop.join, 60)


def says(text: str) -> dict[str, Any]:
    """An answer of the model that is a text."""
    return {"role": "assistant", "content": text}


def calls(*named: tuple[str, Any]) -> dict[str, Any]:
    """An answer of the model that calls tools, with arguments as JSON or as the text given."""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"x{number}",
                "type": "function",
                "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
            }
            for number, (name, given) in enumerate(named)
        ],
    }


__all__ = ["MemoryIO", "ModelFailed", "Platform", "calls", "says"]
