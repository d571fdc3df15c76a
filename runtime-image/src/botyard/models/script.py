"""The model script: what the scripted provider answers, rule by rule.

The first rule whose conditions all hold answers. Text is compared without regard to case, so that a script for a
person's words need not foresee how they are written.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from botyard.models.errors import NoRuleMatches

CHARACTERS_PER_TOKEN = 4
MAX_SCRIPT = 512 * 1024
"""Bytes of a script."""
MAX_DELAY_MS = 600_000
LAST = "{last}"
"""In a reply's text and arguments: the last message's text."""


class ScriptError(Exception):
    """The text is no model script; the message says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Part):
    """Conditions; what is empty or left out always holds."""

    system_contains: str = ""
    """Some system or developer message contains this."""
    last_role: str = ""
    """The last message's role."""
    contains: str = ""
    """The last message contains this."""
    tool: str = ""
    """The last message is the result of this tool; or, where it is no tool's result, the request offers this tool."""


class ToolCall(_Part):
    """A call that the model makes."""

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)


class ReplyUsage(_Part):
    """Tokens to report; what is left out is counted from the text."""

    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)


class Reply(_Part):
    """What the model says."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: ReplyUsage = ReplyUsage()
    delay_ms: int = Field(default=0, ge=0, le=MAX_DELAY_MS)
    """Milliseconds before the first piece."""


class Rule(_Part):
    """One rule."""

    when: When = When()
    reply: Reply


class Script(_Part):
    """A whole script."""

    rules: tuple[Rule, ...] = Field(min_length=1, max_length=10_000)


@dataclass(frozen=True, slots=True)
class Said:
    """A reply with everything filled in."""

    text: str
    tool_calls: tuple[tuple[str, str], ...]
    """Name and arguments as JSON text."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    delay_seconds: float
    cut: bool = False
    """The reply is longer than the request allowed."""


def load(text: str | bytes) -> Script:
    """Return the script that YAML text holds.

    Raises:
        ScriptError: It is too large, no YAML or no script.
    """
    if len(text) > MAX_SCRIPT:
        raise ScriptError(f"a model script has at most {MAX_SCRIPT} bytes, not {len(text)}")
    try:
        return Script.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise ScriptError(f"the model script is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise ScriptError(f"the model script cannot be used: {place}: {first['msg']}") from error


def tokens(characters: int) -> int:
    """Return how many tokens a text of so many characters counts as."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def answer(script: Script, messages: Sequence[Mapping[str, Any]], tools: Sequence[str], limit: int | None) -> Said:
    """Return what the script says to a request.

    Args:
        script: The rules.
        messages: The conversation, as the OpenAI protocol writes it.
        tools: Names of the tools that the request offers.
        limit: Output tokens allowed; None: any number.

    Raises:
        NoRuleMatches: No rule's conditions hold.
    """
    for rule in script.rules:
        if _holds(rule.when, messages, tools):
            return _said(rule.reply, messages, limit)
    last = messages[-1] if messages else {}
    raise NoRuleMatches(
        f"no rule of the model script matches: the last message ({last.get('role')}) is "
        f"{text_of(last.get('content'))[:200]!r}; add a rule without `when` to answer everything else"
    )


def _holds(when: When, messages: Sequence[Mapping[str, Any]], tools: Sequence[str]) -> bool:
    last = messages[-1] if messages else {}
    if when.last_role and last.get("role") != when.last_role:
        return False
    if when.contains and when.contains.casefold() not in text_of(last.get("content")).casefold():
        return False
    if when.system_contains:
        wanted = when.system_contains.casefold()
        system = (text_of(m.get("content")) for m in messages if m.get("role") in ("system", "developer"))
        if not any(wanted in text.casefold() for text in system):
            return False
    if when.tool:
        return _tool_of(last, messages) == when.tool if last.get("role") == "tool" else when.tool in tools
    return True


def _tool_of(last: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the name of the tool whose result the last message is."""
    for message in reversed(messages):
        for call in message.get("tool_calls") or ():
            if call.get("id") == last.get("tool_call_id"):
                return str((call.get("function") or {}).get("name", ""))
    return str(last.get("name", ""))


def _said(reply: Reply, messages: Sequence[Mapping[str, Any]], limit: int | None) -> Said:
    last = text_of(messages[-1].get("content")) if messages else ""
    text = reply.text.replace(LAST, last)
    calls = tuple(
        (call.name, json.dumps(_filled(call.arguments, last), ensure_ascii=False)) for call in reply.tool_calls
    )
    counted = tokens(len(text) + sum(len(name) + len(arguments) for name, arguments in calls))
    output = counted if reply.usage.output_tokens is None else reply.usage.output_tokens
    cut = limit is not None and output > limit
    if cut and limit is not None:
        output, text, calls = limit, text[: limit * CHARACTERS_PER_TOKEN], ()
    asked = reply.usage.input_tokens
    return Said(
        text=text,
        tool_calls=calls,
        input_tokens=input_tokens(messages) if asked is None else asked,
        output_tokens=output,
        cached_tokens=reply.usage.cached_tokens,
        reasoning_tokens=reply.usage.reasoning_tokens,
        delay_seconds=reply.delay_ms / 1000,
        cut=cut,
    )


def input_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return how many tokens the messages count as: their texts and the calls that they hold."""
    characters = 0
    for message in messages:
        characters += len(text_of(message.get("content")))
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            characters += len(str(function.get("name", ""))) + len(str(function.get("arguments", "")))
    return tokens(characters)


def _filled(value: Any, last: str) -> Any:
    if isinstance(value, str):
        return value.replace(LAST, last)
    if isinstance(value, dict):
        return {key: _filled(inner, last) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, last) for inner in value]
    return value
