"""The supervisor's side of a turn, for the specifications."""

import json

from botyard.contract.persona import PersonaConfig
from botyard.fsm.program import FsmProgram
from botyard.program import TurnOutcome, TurnRequest


class IO:
    """What a turn asks of the platform, kept."""

    def __init__(self):
        self.references = []

    async def emit(self, output):
        raise AssertionError("FSM turns are atomic: nothing is sent before the commit")

    async def register_reference(self, reference):
        self.references.append(reference)

    async def step(self, name, request, run):
        return await run("key")

    async def collections(self):
        return {}


class Session:
    """One conversation: keeps the committed state, as JSON, between turns."""

    def __init__(self, program: FsmProgram, state=None):
        self.program = program
        self.io = IO()
        self.state = state
        self.number = 0

    async def message(self, text="", **payload) -> TurnOutcome:
        return await self.turn("message", {"text": text, **payload})

    async def callback(self, body, **payload) -> TurnOutcome:
        return await self.turn("callback", {"reference": "r", "body": body, **payload})

    async def turn(self, kind, payload, persona: PersonaConfig | None = None) -> TurnOutcome:
        self.number += 1
        request = TurnRequest(
            event=f"e{self.number}",
            turn=f"t{self.number}",
            key="k",
            kind=kind,
            payload=payload,
            state=self.state,
            persona=persona,
        )
        outcome = await self.program.run_turn(request, self.io)
        if outcome.error is None:
            self.state = None if outcome.ended else json.loads(json.dumps(outcome.state))
        return outcome


def write_bundle(folder, **files):
    """Write a bundle's modules and return its folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def texts(outcome):
    return [output.data.get("text") for output in outcome.outputs if output.type == "bot.message"]
