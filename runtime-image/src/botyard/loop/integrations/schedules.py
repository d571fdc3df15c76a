"""The integration `schedules`: an expert sees when its Persona's work comes by the clock, and adds to it.

Those of the Persona's spec or of the bundle are shown and stay as they are; those that an expert added it may remove.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from botyard.loop import effects, keys, planning
from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.schedules import TYPES, Every, parse
from botyard.loop.tools import CloudTool, FCloudtoolCall

HELP = f"""Work that comes by the clock of this bot.

op="list"                                              all schedules, and when each is due next
op="add", args={{"name": "ask-ada", "when": "WEEKDAYS:MO/09:00", "question": "Ask Ada for the report."}}
op="remove", args={{"name": "ask-ada"}}                one that was added like this

"when": EVERY:5m, EVERY:2h, WEEKDAYS:MO:FR/09:00, MONTHDAY:1/08:30, MONTHDAY:-1/17:30 (the last day).
Days and times go by the time zone that the list tells as "zone"; the shortest period is 5 minutes.
"type": SCHED_ANY (a thread with the question; if left out) or one of {", ".join(TYPES)}.
"""
TOOL = CloudTool(
    strict=False,
    name="schedules",
    description='When work comes by the clock; begin with op="help".',
    parameters={
        "type": "object",
        "properties": {
            "op": {"type": "string", "description": "help, list, add or remove"},
            "args": {"type": "object", "description": "As op=help says."},
        },
        "required": ["op"],
    },
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
MAX_QUESTION = 2000
"""Characters."""


def integration(settings: Settings) -> Integration:
    """Return the integration."""
    del settings

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> None:
        del setup

        @rcx.on_tool_call(TOOL.name)
        async def called(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await answer(rcx, args)

    return Integration("schedules", [TOOL], start)


async def answer(rcx: RobotContext, args: Mapping[str, Any]) -> str:
    """Do what a model's call asks for and return what it is told."""
    inner = args.get("args")
    given: Mapping[str, Any] = inner if isinstance(inner, Mapping) else args
    op, name = str(args.get("op") or "help"), str(given.get("name") or "")
    if op == "list":
        found = [{"name": each, **what} for each, what in rcx.latest_schedules.items()]
        return "\n".join(json.dumps(each, ensure_ascii=False) for each in found) or "There are no schedules."
    if op not in ("add", "remove"):
        return HELP
    if not _NAME.fullmatch(name):
        return f"Error: {name!r} is no name: 1 to 40 small letters, digits and '-'."
    if op == "add":
        return await _add(rcx, name, given)
    if planning.OWN + name not in rcx.latest_schedules:
        return f"Error: no schedule {name!r} was added; op=list shows all."
    await effects.cause(_key(rcx), {"action": "schedule.remove", "name": name})
    return f"{name} is removed."


async def _add(rcx: RobotContext, name: str, given: Mapping[str, Any]) -> str:
    kind, when = str(given.get("type") or "SCHED_ANY"), str(given.get("when") or "")
    question = str(given.get("question") or "")
    if kind not in TYPES:
        return f"Error: there is no type {kind!r}; types are {', '.join(TYPES)}."
    if len(question) > MAX_QUESTION:
        return f"Error: the question has {len(question)} characters; {MAX_QUESTION} are kept."
    try:
        rule = parse(when)
    except ValueError as error:
        return f"Error: {error}"
    if isinstance(rule, Every) and rule.period_ms < planning.SHORTEST_MS:
        return f"Error: the shortest period is EVERY:{planning.SHORTEST_MS // 60_000}m."
    own = [each for each in rcx.latest_schedules if each.startswith(planning.OWN)]
    if planning.OWN + name not in own and len(own) >= planning.MAX_OWN:
        return f"Error: {planning.MAX_OWN} schedules were added already; remove one first."
    payload = {"action": "schedule.add", "name": name, "type": kind, "when": when, "question": question}
    await effects.cause(_key(rcx), payload)
    return f"{name} is planned: {when}."


def _key(rcx: RobotContext) -> str:
    return keys.persona_key(rcx.persona.persona_id)
