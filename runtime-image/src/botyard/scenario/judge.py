"""A model that rates a whole conversation: optional, because it costs and its opinion varies."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from botyard.program import Output
from botyard.scenario.document import Scenario, Step

TIMEOUT = 120.0
"""Seconds that a judgement may take."""
TRIES = 3
"""Answers that are no judgement are asked for again."""
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
        key: For it; empty: none.
        threshold: In place of the scenarios' own; None: theirs.
    """

    endpoint: str
    model: str
    key: str = ""
    threshold: float | None = None

    async def judge(self, scenario: Scenario, transcript: list[tuple[Step | None, list[Output]]]) -> Judgement:
        """Ask for a judgement.

        Raises:
            JudgeError: The model cannot be asked, or does not answer with one.
        """
        assert scenario.judge is not None
        asked = f"Instructions: {scenario.judge.instructions}\n\nConversation:\n{written(transcript)}"
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": asked}],
        }
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        said = ""
        async with httpx.AsyncClient(timeout=TIMEOUT, headers=headers) as client:
            for _ in range(TRIES):
                try:
                    answer = await client.post(f"{self.endpoint.rstrip('/')}/chat/completions", json=body)
                    answer.raise_for_status()
                    said = str(answer.json()["choices"][0]["message"]["content"])
                except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
                    raise JudgeError(f"the judge at {self.endpoint} cannot be asked: {error!r}") from error
                if (judgement := _judgement(said)) is not None:
                    return judgement
        raise JudgeError(f"the judge answered {TRIES} times without a rating, last: {said[:300]!r}")


def written(transcript: list[tuple[Step | None, list[Output]]]) -> str:
    """Return a conversation as a judge reads it, numbered by turns."""
    lines = []
    for number, (step, outputs) in enumerate(transcript):
        if step is not None:
            lines.append(f"{number}. {step.title()}")
        for output in outputs:
            called = f"tool {output.data['tool']}({output.data.get('arguments')}): " if "tool" in output.data else ""
            lines.append(f"   {output.type}: {called}{output.data.get('text', '')}")
    return "\n".join(lines)


def _judgement(said: str) -> Judgement | None:
    """Return the judgement in an answer; None where there is none."""
    found = _OBJECT.search(said)
    try:
        given: Any = json.loads(found.group()) if found else {}
        rating = float(given["rating"])
        criticism = tuple(
            f"turn {each.get('turn')} (severity {each.get('severity')}): {each.get('text')}"
            for each in given.get("criticism") or ()
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return Judgement(rating, str(given.get("feedback", "")), criticism) if 1 <= rating <= 10 else None
