"""Runs a scenario on the bundle's program, the way a pod runs turns, but in this process and without Redis."""

import asyncio
import base64
import contextlib
import io
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botyard import steps
from botyard.contract.bot import Entrypoint
from botyard.core.records import Selection
from botyard.program import NextEvent, Output, Program, TurnOutcome, TurnRequest
from botyard.runtime.programs import load
from botyard.scenario import matching
from botyard.scenario.document import Scenario, SentFile, Step
from botyard.scenario.model import ScenarioModel
from botyard.scenario.values import UnknownValue, fill

MAX_FOLLOWING = 100
"""Events that one step may cause one after the other."""
_KEY = "scenario"


@dataclass
class Result:
    """How a scenario went."""

    scenario: Scenario
    file: Path
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    """What differs, as lines for people; none: it passed."""
    step: Step | None = None
    """The step that failed; None where the bundle could not be loaded."""
    printed: str = ""
    """What the bundle printed."""
    timed_out: bool = False
    """The bundle's code may still be running."""

    @property
    def passed(self) -> bool:
        """Tell whether all was as expected."""
        return not self.problems

    @property
    def line(self) -> int:
        """Line of the file at which it failed."""
        return self.step.line if self.step is not None else self.scenario.line


class _Impossible(Exception):
    """A step cannot be done, such as pressing an option that is not offered."""


class _IO:
    """The supervisor's side of a turn."""

    def __init__(self, model: ScenarioModel) -> None:
        self._model = model
        self.references: list[str] = []
        self.emitted: list[Output] = []
        self.records: dict[str, Any] = {}

    async def emit(self, output: Output) -> None:
        self.emitted.append(output)

    async def register_reference(self, reference: str) -> None:
        self.references.append(reference)

    async def read_records(self, names: Sequence[str] = (), *, key: str = "", **args: Any) -> dict[str, Any]:
        del key  # A scenario has one conversation.
        return Selection.of({"names": names, **args}).of_all(self.records)

    async def model(
        self, kind: str, body: dict[str, Any], role: str, on_event: Callable[[dict[str, Any]], None] | None
    ) -> dict[str, Any]:
        del role  # One script answers for all roles.
        return await self._model.ask(kind, body, on_event)

    async def step(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        # As a pod returns it: what JSON makes of it.
        return json.loads(json.dumps(await run(f"{_KEY}:{name}")))


async def run_scenario(
    scenario: Scenario,
    *,
    bundle: Path,
    file: Path,
    entrypoint: Entrypoint | None = None,
    model: ScenarioModel | None = None,
) -> Result:
    """Run one scenario to its end or its first failing step.

    Args:
        scenario: What to do.
        bundle: Folder of the bot's code; it is imported into this process.
        file: The scenario's file, for messages and for files that steps send.
        entrypoint: Where the bot is; what is left empty is looked for.
        model: Answers the bundle's model calls; None: it has no model.
    """
    result = Result(scenario, file)
    printed = io.StringIO()
    started = time.monotonic()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            _, program = load(
                bundle, entrypoint or Entrypoint(), credentials=scenario.credentials, config=scenario.config
            )
        except (Exception, SystemExit) as error:
            result.problems = [f"the bundle cannot be loaded: {type(error).__name__}: {error}"]
        else:
            await _Conversation(program, scenario, file, model or ScenarioModel()).run(result)
    result.seconds = time.monotonic() - started
    result.printed = printed.getvalue()
    return result


class _Conversation:
    def __init__(self, program: Program, scenario: Scenario, file: Path, model: ScenarioModel) -> None:
        self._program = program
        self._scenario = scenario
        self._file = file
        self._io = _IO(model)
        self._state: dict[str, Any] | None = None
        self._ended = False
        self._values: dict[str, str] = {}
        self._offered: list[dict[str, Any]] = []
        self._turns = 0

    async def run(self, result: Result) -> None:
        for step in self._scenario.steps:
            result.step = step
            try:
                async with asyncio.timeout(self._scenario.timeout):
                    outputs, outcome = await self._do(step)
            except TimeoutError:
                result.timed_out = True
                result.problems = [f"the step took more than {self._scenario.timeout:g} seconds"]
            except (_Impossible, UnknownValue) as error:
                result.problems = [str(error)]
            else:
                result.problems = self._judge(step, outputs, outcome)
            if result.problems:
                return
        result.step = None

    async def _do(self, step: Step) -> tuple[list[Output], TurnOutcome]:
        kind, payload = self._event(step)
        due = deque([NextEvent(kind=kind, payload=payload)])
        outputs: list[Output] = []
        for _ in range(MAX_FOLLOWING):
            event = due.popleft()
            outcome = await self._turn(event)
            outputs += self._io.emitted + list(outcome.outputs)
            self._io.emitted = []
            if outcome.error is not None:
                break
            due.extend(each for each in outcome.events if each.key in ("", _KEY) and not each.due_ms)
            if not due:
                break
        else:
            raise _Impossible(f"the step caused more than {MAX_FOLLOWING} events, one after the other")
        self._remember(outputs)
        return outputs, outcome

    async def _turn(self, event: NextEvent) -> TurnOutcome:
        self._turns += 1
        request = TurnRequest(
            event=f"event-{self._turns}",
            turn=f"turn-{self._turns}",
            key=_KEY,
            kind=event.kind,
            payload=event.payload,
            state=self._state,
            persona=self._scenario.persona,
        )
        steps.bind(self._io)
        outcome = await self._program.run_turn(request, self._io)
        if outcome.error is None:
            self._ended = outcome.ended
            # Through JSON, as between two turns of a pod: what does not survive that is found here.
            self._state = None if outcome.ended else json.loads(json.dumps(outcome.state))
            written = {} if outcome.ended else {**self._io.records, **json.loads(json.dumps(outcome.records))}
            self._io.records = {name: value for name, value in written.items() if value is not None}
        return outcome

    def _remember(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.data.get("options"):
                self._offered = output.data["options"]
        if self._io.references:
            self._values["reference"] = self._io.references[-1]

    def _event(self, step: Step) -> tuple[str, dict[str, Any]]:
        user = {"user": self._scenario.user}
        given = fill(getattr(step, step.action), self._values)
        match step.action:
            case "say":
                return "message", user | {"text": given}
            case "press":
                return "message", user | {"text": "", "options": [self._option(given)]}
            case "callback":
                body = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
                return "callback", {"reference": self._reference(step), "body": body}
            case "form":
                return "message", user | {"payload": {"kind": "form_reply", "form_data": given}}
            case "language":
                dialog = {"kind": "dialog", "dialog_id": "LANGUAGE_SELECTED", "dialog_input": given}
                return "message", user | {"payload": dialog}
            case "reset":
                return "message", user | {"payload": {"kind": "dialog", "dialog_id": "CONVERSATION_RESET"}}
            case "file":
                assert step.file is not None
                return "message", user | {"text": "", "files": [self._sent(step.file)]}
        return "message", user | {"payload": given}

    def _option(self, wanted: str) -> dict[str, str]:
        for member in ("id", "title"):
            for option in self._offered:
                if option.get(member) == wanted:
                    return {"option_id": option["id"], "option_text": option["title"]}
        offered = ", ".join(f"{o['title']} ({o['id']})" for o in self._offered) or "none"
        raise _Impossible(f"there is no option {wanted!r} to press; the last ones offered are: {offered}")

    def _reference(self, step: Step) -> str:
        if step.reference is not None:
            return str(fill(step.reference, self._values))
        if not self._io.references:
            raise _Impossible("the bot has handed out no reference for a callback; give one as `reference`")
        return self._io.references[-1]

    def _sent(self, file: SentFile) -> dict[str, str]:
        if file.text is not None:
            content = str(fill(file.text, self._values)).encode()
        else:
            path = self._file.parent / str(file.path)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise _Impossible(f"the file {file.path!r} cannot be read: {error}") from error
        encoded = base64.b64encode(content).decode("ascii")
        return {"name": file.name, "type": file.type, "url": f"data:{file.type};base64,{encoded}"}

    def _judge(self, step: Step, outputs: list[Output], outcome: TurnOutcome) -> list[str]:
        problems = _error_problems(step, outcome)
        if problems:
            return problems
        if step.expect is not None:
            problems += matching.compare(step.expect, outputs, self._values)
        if step.ended is not None and step.ended is not self._ended:
            problems.append(f"the session has {'' if self._ended else 'not '}ended")
        main = (self._state or {}).get("main", {})
        if step.state is not None and main.get("state") != step.state:
            problems.append(f"the session is in state {main.get('state')!r}, {step.state!r} was expected")
        if step.variables is not None:
            problems += matching.subset(fill(step.variables, self._values), main.get("variables", {}), "variables")
        return problems


def _error_problems(step: Step, outcome: TurnOutcome) -> list[str]:
    error, wanted = outcome.error, step.error
    if wanted is None:
        if error is None:
            return []
        place = f" at {error.where}" if error.where else ""
        return [f"the turn failed with {error.kind}{place}: {error.message}"]
    if error is None:
        return [f"the turn did not fail; {wanted.kind or 'an error'} was expected"]
    if wanted.kind not in (None, error.kind) or wanted.contains not in error.message:
        return [f"the turn failed with {error.kind}: {error.message}", f"{wanted} was expected"]
    return []
