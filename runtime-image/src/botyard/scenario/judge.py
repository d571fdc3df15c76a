"""A model that rates a whole conversation: optional, because it costs and its opinion varies."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botyard.models.errors import ModelError, ModelTimeout, ProviderBroke
from botyard.models.http_provider import HttpProvider, Patience
from botyard.models.http_session import new_session
from botyard.models.retries import RetryPolicy
from botyard.models.usage import reported
from botyard.program import Output
from botyard.scenario.document import Scenario, Step
from botyard.scenario.purse import NothingLeft, Purse

PATIENCE = Patience(answer=120.0, whole=180.0)
"""Seconds that a judgement may take, tries anew included."""
ANSWERS = 3
"""Answers that are no judgement are asked for again, so often in all."""
MAX_OUTPUT = 4000
"""Tokens of a judgement, and of what a model thinks before it."""
MAX_WRITTEN = 200_000
"""Characters of a conversation that a judge reads; of longer ones the middle is left out."""
_SYSTEM = """You judge a conversation of a bot with its user. Answer with one JSON object and nothing else:
{"rating": 1 to 10, "feedback": "in a sentence or two",
 "criticism": [{"turn": number, "severity": 0 to 2, "text": "…"}]}
10: all that the instructions ask for was done. Statements that nothing in the conversation supports cost points."""
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


class JudgeError(Exception):
    """There is no judgement; the message says why."""


@dataclass(frozen=True)
class Judgement:
    """What the judge thinks.

    Attributes:
        rating: 1 to 10.
        feedback: In a sentence or two.
        criticism: `turn N (severity S): text`, a line for each.
    """

    rating: float
    feedback: str = ""
    criticism: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Judging:
    """Who judges.

    Attributes:
        endpoint: Of the OpenAI protocol, such as https://api.example.com/v1.
        model: Its name there.
        purse: Pays for it, in all scenarios of the run together.
        key: For it; empty: none.
        threshold: In place of the scenarios' own; None: theirs.
        patience: Time-outs.
        retries: When a failed request is sent again.
    """

    endpoint: str
    model: str
    purse: Purse
    key: str = ""
    threshold: float | None = None
    patience: Patience = PATIENCE
    retries: RetryPolicy = field(default_factory=RetryPolicy)

    async def judge(self, scenario: Scenario, transcript: list[tuple[Step | None, list[Output]]]) -> Judgement:
        """Ask for a judgement.

        Raises:
            JudgeError: The model cannot be asked, does not answer with one, or costs more than is left for it.
        """
        assert scenario.judge is not None
        asked = f"Instructions: {scenario.judge.instructions}\n\nConversation:\n{written(transcript)}"
        request = {"messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": asked}]}
        said = ""
        async with new_session() as session:
            provider = HttpProvider(
                session, lambda: self.key, self.model, self.endpoint, self.patience, retries=self.retries
            )
            for _ in range(ANSWERS):
                said = await self._ask(provider, request)
                if (judgement := _judgement(said)) is not None:
                    return judgement
        raise JudgeError(f"the judge answered {ANSWERS} times without a rating, last: {said[:300]!r}")

    async def _ask(self, provider: HttpProvider, request: Mapping[str, Any]) -> str:
        """Return what the judge says; what it may cost is set aside before, what it did cost is taken after."""
        limited = {**request, provider.limit_name: MAX_OUTPUT}
        bound = provider.bound("chat", limited)
        try:
            worst = self.purse.reserve(bound.input_tokens, MAX_OUTPUT)
            answer = await provider.ask("chat", limited)
        except NothingLeft as error:
            raise JudgeError(f"the judge is not asked: {error}") from error
        except ModelError as error:
            # An answer that was lost on its way may be billed all the same.
            lost = isinstance(error, ModelTimeout | ProviderBroke)
            self.purse.settle(worst, None if lost else 0)
            raise JudgeError(f"the judge at {self.endpoint} cannot be asked: {error}") from error
        usage = reported(answer, bound)
        self.purse.settle(worst, None if usage is None else self.purse.cost(usage))
        return str(answer["choices"][0]["message"].get("content") or "")


def written(transcript: list[tuple[Step | None, list[Output]]]) -> str:
    """Return a conversation as a judge reads it, numbered by turns."""
    lines = []
    for number, (step, outputs) in enumerate(transcript):
        if step is not None:
            lines.append(f"{number}. {step.title()}")
        for output in outputs:
            called = f"tool {output.data['tool']}({output.data.get('arguments')}): " if "tool" in output.data else ""
            lines.append(f"   {output.type}: {called}{output.data.get('text', '')}")
    text = "\n".join(lines)
    half = MAX_WRITTEN // 2
    return text if len(text) <= MAX_WRITTEN else f"{text[:half]}\n…\n{text[-half:]}"


def _judgement(said: str) -> Judgement | None:
    """Return the judgement in an answer; None where there is none."""
    found = _OBJECT.search(said)
    try:
        given: Any = json.loads(found.group()) if found else {}
        rating = given["rating"]
        if isinstance(rating, bool):
            return None
        rating = float(rating)
        criticism = tuple(
            f"turn {each.get('turn')} (severity {each.get('severity')}): {each.get('text')}"
            for each in given.get("criticism") or ()
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return Judgement(rating, str(given.get("feedback", "")), criticism) if 1 <= rating <= 10 else None
