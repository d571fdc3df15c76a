"""Scenario files of the loop model's existing kit: a conversation that went well, to be held against the bot.

    messages: [{role: user, content: …}, {role: assistant, tool_calls: […]}, {role: tool, call_id: …, content: …}, …]
    judge_instructions: …
    fake_connected_providers: […]

Without a script beside it the model says what the file's assistant said: then the bot must handle each call as the file
has it. With a script the model's calls must be those of the file. Source: the facts about the kit's scenarios; the
name of a file is `<expert>__<name>.yaml`.
"""

import importlib
import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from botyard.scenario.document import Expectation, Judge, Scenario, Step

FAILED = r"\A(?!Tool error|Arguments of \w+ )"
"""Found in results of tools that did not fail, and whose handlers were called at all."""
_INCLUDE = re.compile(r"!PYTHON\[([\w.]+)\]")
_THREAD = "main"


_INSTRUCTIONS = ("cd_instruction", "system", "kernel")


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: Literal["user", "assistant", "tool", "cd_instruction", "system", "kernel"]
    content: Any = None
    tool_calls: list[dict[str, Any]] = Field(default_factory=list)
    call_id: str = ""

    @field_validator("tool_calls", mode="before")
    @classmethod
    def _none_is_none(cls, value: Any) -> Any:
        return value or []


class KitFile(BaseModel):
    """The file's content; keys that have no meaning here are not looked at."""

    model_config = ConfigDict(extra="ignore")

    messages: list[_Message] = Field(min_length=1)
    judge_instructions: str = ""
    fake_connected_providers: list[str] = Field(default_factory=list)

    @field_validator("messages")
    @classmethod
    def _begins_with_a_person(cls, messages: list[_Message]) -> list[_Message]:
        first = next((message.role for message in messages if message.role not in _INSTRUCTIONS), "")
        if first != "user":
            raise ValueError("a conversation begins with a user (a cd_instruction may come before)")
        return messages


def is_kit_file(content: Any) -> bool:
    """Tell whether a YAML document is a scenario of the kit."""
    return isinstance(content, dict) and "messages" in content and "steps" not in content


def scenario_of(path: Path, content: Any, lines: list[int]) -> Scenario:
    """Return the scenario that a file of the kit is.

    Args:
        path: Its name says who answers.
        content: The file's document.
        lines: Of its messages.

    Raises:
        ValidationError: It is none.
    """
    file = KitFile.model_validate(content)
    expert, separator, _ = path.stem.partition("__")
    steps: list[Step] = []
    replay: list[dict[str, Any]] = []
    results: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    before: list[dict[str, Any]] = []
    expected: list[Expectation] = []
    for message, line in zip(file.messages, lines, strict=True):
        if message.role in _INSTRUCTIONS:
            before.append({"role": "cd_instruction", "content": _text(message.content)})
        elif message.role == "user":
            if steps:
                steps[-1] = steps[-1].model_copy(update={"expect": tuple(expected)})
            expected = []
            said = [*before, {"role": "user", "content": _text(message.content)}]
            before = []
            steps.append(_step(said, line, expert if separator else "", first=not steps))
        elif message.role == "assistant":
            reply = _reply(message)
            replay.append(reply)
            names |= {call["id"]: call["function"]["name"] for call in reply["tool_calls"]}
            expected += _expected(reply)
        else:
            results.setdefault(names.get(message.call_id, ""), []).append(_text(message.content))
    steps[-1] = steps[-1].model_copy(update={"expect": tuple(expected)})
    return Scenario(
        scenario=path.stem,
        steps=tuple(steps),
        line=1,
        replay=tuple(replay),
        stand_ins={tool: tuple(given) for tool, given in results.items()},
        providers=tuple(file.fake_connected_providers),
        judge=Judge(instructions=file.judge_instructions) if file.judge_instructions else None,
    )


def with_includes(given: Any) -> Any:
    """Return `given` with each `!PYTHON[package.attribute]` replaced by that text of the bundle.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such attribute.
    """
    if isinstance(given, str):
        return _INCLUDE.sub(_included, given)
    if isinstance(given, dict):
        return {key: with_includes(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [with_includes(value) for value in given]
    return given


def _included(match: re.Match[str]) -> str:
    module, _, attribute = match.group(1).rpartition(".")
    return str(getattr(importlib.import_module(module), attribute))


def _step(said: list[dict[str, Any]], line: int, expert: str, *, first: bool) -> Step:
    action = {"action": "thread.start", "expert": expert} if first else {"action": "thread.message"}
    return Step(event={**action, "thread": _THREAD, "messages": said}, line=line)


def _reply(message: _Message) -> dict[str, Any]:
    calls = [
        {"id": str(call.get("id") or ""), "type": "function", "function": dict(call.get("function") or {})}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": _text(message.content) or None, "tool_calls": calls}


def _expected(reply: dict[str, Any]) -> list[Expectation]:
    answer = [Expectation()] if reply["content"] else []
    calls = [call["function"] for call in reply["tool_calls"]]
    return answer + [
        Expectation(tool=str(call.get("name")), arguments=_arguments(call.get("arguments")), regex=FAILED)
        for call in calls
    ]


def _arguments(given: Any) -> dict[str, Any] | None:
    try:
        parsed = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("m_content", part.get("text", ""))) for part in content)
    return "" if content is None else str(content)
