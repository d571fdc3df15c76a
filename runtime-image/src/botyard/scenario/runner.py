"""Runs a scenario on the bundle's program, the way a pod runs turns, but in this process and without Redis."""

import asyncio
import base64
import contextlib
import io
import json
import tempfile
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botyard.contract.bot import Entrypoint
from botyard.contract.persona import PersonaConfig
from botyard.loop.context import TestRun
from botyard.loop.program import LoopProgram
from botyard.program import EventKind, NextEvent, Output, Program, TurnOutcome
from botyard.runtime.programs import load, serve_alone
from botyard.scenario import matching, workflow_bots
from botyard.scenario.document import OF_LOOP_BOTS, Judge, Scenario, SentFile, Step
from botyard.scenario.host import KEY, Host, Impossible, Ran, ToolResults
from botyard.scenario.judge import JudgeError, Judgement, Judging
from botyard.scenario.kit_file import with_includes
from botyard.scenario.loop_bots import CONFIRMATION, LoopBot
from botyard.scenario.model import ScenarioModel
from botyard.scenario.values import UnknownValue, fill


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
    transcript: list[tuple[Step | None, list[Output]]] = field(default_factory=list)
    """What happened, and what the bot did then."""
    judgement: Judgement | None = None
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


async def run_scenario(
    scenario: Scenario,
    *,
    bundle: Path,
    file: Path,
    entrypoint: Entrypoint | None = None,
    model: ScenarioModel | None = None,
    judging: Judging | None = None,
) -> Result:
    """Run one scenario to its end or its first failing step.

    Args:
        scenario: What to do.
        bundle: Folder of the bot's code; it is imported into this process.
        file: The scenario's file, for messages and for files that steps send.
        entrypoint: Where the bot is; what is left empty is looked for.
        model: Answers the bundle's model calls; None: it has no model.
        judging: Rates scenarios that say how; None: nobody does.
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
            model = model or ScenarioModel()
            try:
                scenario = _included(scenario)
            except (ImportError, AttributeError) as error:
                result.problems = [f"a text that the scenario includes is not in the bundle: {error}"]
            else:
                if scenario.replay and not model.has_script:
                    model.replay(scenario.replay, _first_words(scenario))
                serve_alone(program)
                try:
                    with tempfile.TemporaryDirectory(prefix="scenario") as folder:
                        await _Conversation(program, scenario, file, model, Path(folder)).run(result)
                finally:
                    serve_alone(program, alone=False)
                if judging is not None and scenario.judge is not None and result.passed:
                    await _judge(result, scenario, scenario.judge, judging)
    result.seconds = time.monotonic() - started
    result.printed = printed.getvalue()
    return result


def _included(scenario: Scenario) -> Scenario:
    """Return a scenario with the bundle's texts where it asks for them."""
    steps = tuple(
        step if step.event is None else step.model_copy(update={"event": with_includes(step.event)})
        for step in scenario.steps
    )
    return scenario.model_copy(update={"steps": steps})


def _first_words(scenario: Scenario) -> str:
    """Return what the user says first in a scenario that replays a conversation."""
    return str((scenario.steps[0].event or {})["messages"][-1]["content"])


async def _judge(result: Result, scenario: Scenario, wanted: Judge, judging: Judging) -> None:
    try:
        result.judgement = judgement = await judging.judge(scenario, result.transcript)
    except JudgeError as error:
        result.problems = [str(error)]
        return
    least = wanted.threshold if judging.threshold is None else judging.threshold
    if judgement.rating < least:
        rated = f"the judge rates it {judgement.rating:g}, {least:g} was wanted: {judgement.feedback}"
        result.problems = [rated, *judgement.criticism]


class _Conversation:
    def __init__(self, program: Program, scenario: Scenario, file: Path, model: ScenarioModel, workdirs: Path) -> None:
        self._scenario = scenario
        self._file = file
        persona = scenario.persona
        results = ToolResults(
            instead={tool: deque(given) for tool, given in scenario.tools.items()},
            otherwise={tool: deque(given) for tool, given in scenario.stand_ins.items()},
            accounts=bool(scenario.providers),
            subchats=bool(scenario.replay) and not model.has_script,
        )
        self._host = Host(program, model, persona=persona, results=results)
        self._loop: LoopBot | None = None
        if isinstance(program, LoopProgram):
            program.workdirs = workdirs
            program.test_run = TestRun(file.read_text(encoding="utf-8"), scenario.providers)
            self._host.persona = persona = persona or PersonaConfig(name="persona")
            self._loop = LoopBot(persona.name, scenario.user)
        self._values: dict[str, str] = {}
        self._offered: list[dict[str, Any]] = []

    async def run(self, result: Result) -> None:
        try:
            if await self._done(result, None, self._host.begin()):
                for step in self._scenario.steps:
                    result.step = step
                    if not await self._done(result, step, self._do(step)):
                        return
                result.step = None
        finally:
            if not result.timed_out:
                await self._host.end()

    async def _done(self, result: Result, step: Step | None, doing: Coroutine[Any, Any, Ran]) -> bool:
        """Do a step, or begin; return whether it went as expected, and note in `result` what did not."""
        try:
            async with asyncio.timeout(self._scenario.timeout):
                ran = await doing
        except TimeoutError:
            result.timed_out = True
            result.problems = [f"the step took more than {self._scenario.timeout:g} seconds"]
        except (Impossible, UnknownValue) as error:
            result.problems = [str(error)]
        else:
            if self._loop is None:
                outputs = workflow_bots.seen([output for _, output in ran.outputs])
            else:
                outputs = self._loop.seen(ran.outputs)
            self._remember(outputs)
            result.transcript.append((step, outputs))
            result.problems = self._judge(step or Step(wait=0), outputs, ran.outcome)
        return not result.problems

    async def _do(self, step: Step) -> Ran:
        if step.wait is not None:
            return await self._host.wait(step.wait)
        ran = await self._host.run(self._event(step))
        if not self._scenario.replay or self._loop is None:
            return ran
        # A conversation of the kit tells of no decisions: where it went on, a person had allowed the call.
        while (allowed := self._loop.allowed(ran.outputs)) is not None:
            kept = [(key, output) for key, output in ran.outputs if output.type != CONFIRMATION]
            more = await self._host.run(allowed)
            ran = Ran(more.outcome, kept + more.outputs)
        return ran

    def _remember(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.data.get("options"):
                self._offered = output.data["options"]
        if self._host.references:
            self._values["reference"] = self._host.references[-1]

    def _event(self, step: Step) -> NextEvent:
        given = fill(getattr(step, step.action), self._values)
        if self._loop is not None and step.action in (*OF_LOOP_BOTS, "say"):
            return self._loop.event(step, fill(given.model_dump(), self._values) if step.move else given)
        if step.action in OF_LOOP_BOTS:
            raise Impossible(f"`{step.action}` is for loop bots, and this one has no Personas")
        kind, payload = self._message(step, given)
        return NextEvent(kind=kind, key="" if self._loop is None else self._loop.key(step.thread), payload=payload)

    def _message(self, step: Step, given: Any) -> tuple[EventKind, dict[str, Any]]:
        user = {"user": self._scenario.user}
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
        raise Impossible(f"there is no option {wanted!r} to press; the last ones offered are: {offered}")

    def _reference(self, step: Step) -> str:
        if step.reference is not None:
            return str(fill(step.reference, self._values))
        if not self._host.references:
            raise Impossible("the bot has handed out no reference for a callback; give one as `reference`")
        return self._host.references[-1]

    def _sent(self, file: SentFile) -> dict[str, str]:
        if file.text is not None:
            content = str(fill(file.text, self._values)).encode()
        else:
            path = self._file.parent / str(file.path)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise Impossible(f"the file {file.path!r} cannot be read: {error}") from error
        encoded = base64.b64encode(content).decode("ascii")
        return {"name": file.name, "type": file.type, "url": f"data:{file.type};base64,{encoded}"}

    def _judge(self, step: Step, outputs: list[Output], outcome: TurnOutcome) -> list[str]:
        problems = _error_problems(step, outcome)
        if problems:
            return problems
        if step.expect is not None:
            problems += matching.compare(step.expect, outputs, self._values)
        if step.ended is not None and step.ended is not self._host.ended:
            problems.append(f"the session has {'' if self._host.ended else 'not '}ended")
        main = (self._host.states.get(KEY) or {}).get("main", {})
        if step.state is not None and main.get("state") != step.state:
            problems.append(f"the session is in state {main.get('state')!r}, {step.state!r} was expected")
        if step.variables is not None:
            problems += matching.subset(fill(step.variables, self._values), main.get("variables", {}), "variables")
        if step.board is not None and self._loop is not None:
            wanted = {column: list(fill(titles, self._values)) for column, titles in step.board.items()}
            problems += matching.subset(wanted, self._loop.board(self._host), "board")
        if self._host.failing:
            problems.append(f"the bot's main loop fails: {self._host.failing}")
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
