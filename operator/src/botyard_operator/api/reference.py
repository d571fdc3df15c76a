"""The generated parts of the pages in `docs/`: tables of fields, conditions and reasons, from the models.

A page is written by hand around marked parts (`<!-- generated: fields -->` to `<!-- end -->`); only these are replaced.
"""

import re
from collections.abc import Iterator, Mapping

from botyard_operator.api.bot_guidance import BOT, PERSONA
from botyard_operator.api.guidance import BUNDLE
from botyard_operator.api.guidance_entry import Guidance
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.api.structural import Schema

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PARTS = ("fields", "status", "conditions", "reasons")


def refresh(page: str, kind: str, schema: Schema) -> str:
    """Return a page with its marked parts made anew.

    Args:
        page: The page's text.
        kind: The kind that it is about.
        schema: The kind's structural schema.

    Raises:
        ValueError: A part is missing, or one is marked that does not exist.
    """
    parts = {
        "fields": _fields(schema["properties"]["spec"], "spec"),
        "status": _fields(schema["properties"]["status"], "status"),
        "conditions": _conditions(kind),
        "reasons": _reasons(kind),
    }
    found = sorted(match[2] for match in _PART.finditer(page))
    if found != sorted(parts):
        raise ValueError(f"the page of {kind} has the parts {found}; it must have each of {sorted(parts)} once")
    return _PART.sub(lambda match: f"{match[1]}{parts[match[2]]}{match[3]}", page)


def _fields(schema: Schema, path: str) -> str:
    rows = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    for field, node, required in _walk(schema, path):
        meaning = node.get("description", "")
        default = node.get("default")
        shown = "**required**" if required else "" if default in (None, {}) else f"`{_scalar(default)}`"
        rows.append(f"| `{field}` | {_type(node)} | {shown} | {_cell(meaning)} |")
    return "\n".join(rows) + "\n"


def _walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Yield path, schema and whether it is required for every named field below."""
    for name, child in schema.get("properties", {}).items():
        field = f"{path}.{name}"
        yield field, child, name in schema.get("required", ())
        yield from _walk(child, field)
        if "items" in child:
            yield from _walk(child["items"], f"{field}[]")
        if "additionalProperties" in child:
            yield from _walk(child["additionalProperties"], f"{field}.*")


def _type(node: Schema) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if "additionalProperties" in node:
        return f"map of {_type(node['additionalProperties'])}"
    if node.get("x-kubernetes-preserve-unknown-fields"):
        return "free-form"
    if node["type"] == "integer" and "maximum" in node:
        return f"integer, {node['minimum']} to {node['maximum']}"
    return str(node["type"])


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _conditions(kind: str) -> str:
    rows = ["| Condition | Meaning |", "|---|---|"]
    rows += [f"| {each} | {_cell(each.doc)} |" for each in ConditionType if each.applies_to(kind)]
    return "\n".join(rows) + "\n"


GUIDES: Mapping[str, Mapping[Reason, Guidance]] = {"Bundle": BUNDLE, "Bot": BOT, "Persona": PERSONA}
"""Help with the reasons, by kind."""


def _reasons(kind: str) -> str:
    guide = GUIDES[kind]
    reasons = [reason for reason in Reason if reason.applies_to(kind)]
    rows = ["| Reason | Meaning | A message, for example | Way out |", "|---|---|---|---|"]
    for reason in reasons:
        help_ = guide.get(reason, Guidance("", ""))
        cells = (reason.doc, help_.example, help_.way_out)
        rows.append(f"| {reason} | {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
