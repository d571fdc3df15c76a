"""Tools as bots declare them, calls as handlers receive them, results as handlers return them.

Source: `CloudTool`, `FCloudtoolCall` and `ToolResult` of the loop model's kit; the field names are part of its surface.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FAILED = "Tool error, see logs for details"
"""What the model reads when a handler raised something that it cannot act on."""
MAX_RESULT = 1024 * 1024
"""Characters of a result that a thread keeps."""


@dataclass
class CloudTool:
    """A tool that a bot offers to the model.

    Attributes:
        strict: The model must keep to `parameters` exactly; every object then lists all its properties as required.
        name: What the model calls.
        description: What the model reads of it.
        parameters: JSON schema of the arguments, an object.
        auth_required: Name of the outside account that it needs, or None.
    """

    strict: bool
    name: str
    description: str
    parameters: dict[str, Any]
    auth_required: str | None = None

    def openai_style_tool(self) -> dict[str, Any]:
        """Return the declaration as models of the OpenAI protocol take it.

        Raises:
            ValueError: The tool is strict and its schema is not; the message names the place.
        """
        if self.strict:
            _check_strict(self.parameters, self.name)
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function | ({"strict": True} if self.strict else {})}


def _check_strict(schema: Mapping[str, Any], where: str) -> None:
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        if schema.get("additionalProperties") is not False:
            raise ValueError(f"{where}: a strict tool needs additionalProperties: False")
        required = set(schema.get("required", ()))
        if missing := sorted(set(properties) - required):
            raise ValueError(f"{where}: a strict tool requires all its properties, these are not: {', '.join(missing)}")
        for name, inner in properties.items():
            if isinstance(inner, Mapping):
                _check_strict(inner, f"{where}.{name}")
    if isinstance(items := schema.get("items"), Mapping):
        _check_strict(items, f"{where}[]")


@dataclass
class FCloudtoolCall:
    """One call of a tool by the model."""

    fcall_id: str
    fcall_ft_id: str
    fcall_name: str
    fcall_arguments: str
    """The arguments as the model wrote them, JSON."""
    connected_persona_id: str = ""
    ws_id: str = ""
    confirmed_by_human: bool = False
    caller_fuser_id: str = ""
    fcall_untrusted_key: str = ""
    """Idempotence key of the call: the same whenever this call is made again after a crash."""
    fcall_ftm_alt: int = 100
    fcall_called_ftm_num: int = 0
    fcall_call_n: int = 0
    fcall_created_ts: float = 0.0
    fcall_prov: dict[str, Any] = field(default_factory=dict)
    located_fgroup_id: str = ""
    subgroups_list: list[str] = field(default_factory=list)
    fcall_auth: dict[str, Any] = field(default_factory=dict)


@dataclass
class ToolResult:
    """What a handler gives back.

    Attributes:
        content: Text for the model.
        multimodal: Parts `{m_type, m_content}`: `text`, or a media type with base64; None for a plain text.
        dollars: What the call cost, in US dollars; booked on the Persona's budget.
    """

    content: str = ""
    multimodal: list[dict[str, Any]] | None = None
    dollars: float = 0.0


class BadArguments(ValueError):
    """The model's arguments are not what a tool can take; the message is for the model."""


def parse_arguments(call: FCloudtoolCall) -> dict[str, Any]:
    """Return the arguments of a call.

    Raises:
        BadArguments: They are no JSON, or no object.
    """
    try:
        arguments = json.loads(call.fcall_arguments or "{}")
    except ValueError as error:
        raise BadArguments(f"Arguments of {call.fcall_name} are not valid JSON: {error}. Call it again.") from error
    if not isinstance(arguments, dict):
        kind = {list: "an array", str: "a string", type(None): "null", bool: "a boolean"}.get(
            type(arguments), "a number"
        )
        raise BadArguments(f"Arguments of {call.fcall_name} must be a JSON object, not {kind}. Call it again.")
    return arguments


def result_of(returned: object) -> ToolResult:
    """Return what a handler returned as a `ToolResult`.

    A list of parts is what the document allows beside a text.

    Raises:
        TypeError: It is neither text, ToolResult nor a list of parts, or its cost is no amount of money.
    """
    if isinstance(returned, str):
        result = ToolResult(returned)
    elif isinstance(returned, ToolResult):
        result = returned
    elif isinstance(returned, list) and returned and all(map(_is_part, returned)):
        result = ToolResult(multimodal=returned)
    elif returned is None:
        raise TypeError("the handler returned nothing; it must return a text, a ToolResult or a list of parts")
    else:
        raise TypeError(f"the handler returned {type(returned).__name__}, not a text, a ToolResult or a list of parts")
    _check(result)
    return result


def _is_part(part: object) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("m_type"), str) and "m_content" in part


def _check(result: ToolResult) -> None:
    if not isinstance(result.content, str):
        raise TypeError(f"ToolResult.content is {type(result.content).__name__}, not a text")
    if result.multimodal is not None and not (
        isinstance(result.multimodal, list) and all(map(_is_part, result.multimodal))
    ):
        raise TypeError("ToolResult.multimodal is not a list of {m_type, m_content}")
    dollars = result.dollars
    if isinstance(dollars, bool) or not isinstance(dollars, int | float) or not math.isfinite(dollars) or dollars < 0:
        raise TypeError(f"ToolResult.dollars is {dollars!r}, not an amount in US dollars")
    size = len(result.content) + sum(len(str(part["m_content"])) for part in result.multimodal or ())
    if size > MAX_RESULT:
        raise TypeError(f"the result has {size} characters; {MAX_RESULT} are kept")


def coins(dollars: float) -> int:
    """Return US dollars as coins (microdollars), rounded up: a cost is never booked below what it was."""
    return math.ceil(round(dollars * 1_000_000, 6))


def duplicates(tools: Sequence[CloudTool]) -> list[str]:
    """Return names that several tools share; the model could not tell them apart."""
    names = [tool.name for tool in tools]
    return sorted({name for name in names if names.count(name) > 1})
