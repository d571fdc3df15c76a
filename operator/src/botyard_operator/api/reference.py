"""The generated parts of the pages in `docs/`: tables of fields, conditions and reasons, from the models.

A page is written by hand around marked parts (`<!-- generated: fields -->` to `<!-- end -->`); only these are replaced.
"""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from botyard_operator.api.bot_guidance import BOT, PERSONA
from botyard_operator.api.guidance import BUNDLE
from botyard_operator.api.guidance_entry import Guidance
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.api.structural import Schema
from botyard_operator.api.unsupported import PENDING_CONDITIONS, TABLE, Kind

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
    name = cast(Kind, kind)
    parts = {
        "fields": _fields(schema["properties"]["spec"], "spec", name),
        "status": _fields(schema["properties"]["status"], "status", name),
        "conditions": _conditions(name),
        "reasons": _reasons(name),
    }
    found = sorted(match[2] for match in _PART.finditer(page))
    if found != sorted(parts):
        raise ValueError(f"the page of {kind} has the parts {found}; it must have each of {sorted(parts)} once")
    return _PART.sub(lambda match: f"{match[1]}{parts[match[2]]}{match[3]}", page)


def _fields(schema: Schema, path: str, kind: Kind) -> str:
    rows = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    pending = {entry.path for entry in TABLE[kind] if entry.whole}
    for field, node, required in _walk(schema, path):
        meaning = node.get("description", "")
        if any(field.startswith((f"{path}.", f"{path}[")) for path in pending):
            meaning = f"{meaning} Not in force in this release."
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


def _conditions(kind: Kind) -> str:
    rows = ["| Condition | Meaning |", "|---|---|"]
    for condition in ConditionType:
        if condition.applies_to(kind):
            note = " Not reported in this release." if condition in PENDING_CONDITIONS[kind] else ""
            rows.append(f"| {condition} | {_cell(condition.doc)}{note} |")
    return "\n".join(rows) + "\n"


GUIDES: Mapping[str, Mapping[Reason, Guidance]] = {"Bundle": BUNDLE, "Bot": BOT, "Persona": PERSONA}
"""Help with the reasons, by kind."""


def _reasons(kind: Kind) -> str:
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
