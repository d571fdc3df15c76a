"""The integration `kanban`: an expert looks at its Persona's board, adds tasks and moves them."""

import json
from collections.abc import Mapping
from typing import Any

from botyard.loop import platform
from botyard.loop.context import RobotContext
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tasks import COLUMNS, Column
from botyard.loop.tools import CloudTool, FCloudtoolCall

HELP = f"""Columns: {", ".join(COLUMNS)}.

op="list", args={{"column": "todo"}}                 tasks; all columns if none is named
op="create", args={{"title": "…", "details": {{}}, "column": "inbox"}}
op="move", args={{"id": "…", "column": "done", "summary": "what came of it"}}
op="update", args={{"id": "…", "details": {{}}}}
"""
TOOL = CloudTool(
    strict=False,
    name="kanban",
    description='The board of tasks; begin with op="help".',
    parameters={
        "type": "object",
        "properties": {
            "op": {"type": "string", "description": "help, list, create, move or update"},
            "args": {"type": "object", "description": "As op=help says."},
        },
        "required": ["op"],
    },
)
MAX_LISTED = 200


def integration(settings: Settings) -> Integration:
    """Return the integration."""
    del settings

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> None:
        del setup

        @rcx.on_tool_call(TOOL.name)
        async def called(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await answer(rcx, args)

    return Integration("kanban", [TOOL], start)


async def answer(rcx: RobotContext, args: Mapping[str, Any]) -> str:
    """Do what a model's call asks for and return what it is told."""
    inner = args.get("args")
    given: Mapping[str, Any] = inner if isinstance(inner, Mapping) else args
    op, column = str(args.get("op") or "help"), str(given.get("column") or "")
    if column and column not in COLUMNS:
        return f"Error: there is no column {column!r}; columns are {', '.join(COLUMNS)}."
    if op == "list":
        return _listed(rcx, column)
    if op == "create":
        return await _create(rcx, given, column or "inbox")
    if op not in ("move", "update"):
        return HELP
    task = str(given.get("id") or "")
    if task not in rcx.latest_tasks:
        return f"Error: there is no task {task!r}; op=list shows them."
    if op == "update":
        await platform.update_task(rcx.persona.persona_id, task, _details(given))
        return f"{task} is updated."
    if not column:
        return "Error: args lacks 'column'."
    await platform.move_task(rcx.persona.persona_id, task, column, summary=str(given.get("summary") or ""))
    return f"{task} goes to {column}, if the board allows it."


def _listed(rcx: RobotContext, column: str) -> str:
    tasks = [task for task in rcx.latest_tasks.values() if column in ("", task.calc_bucket())]
    lines = [
        json.dumps(
            {
                "id": task.ktask_id,
                "column": task.calc_bucket(),
                "title": task.ktask_title,
                "details": task.ktask_details,
            },
            ensure_ascii=False,
            default=str,
        )
        for task in tasks[:MAX_LISTED]
    ]
    return "\n".join(lines) or "There are no tasks."


async def _create(rcx: RobotContext, given: Mapping[str, Any], column: Column) -> str:
    title = str(given.get("title") or "").strip()
    if not title:
        return "Error: args lacks 'title'."
    task = await platform.create_task(rcx.persona.persona_id, title, _details(given), column=column)
    return f"{task} is in {column}."


def _details(given: Mapping[str, Any]) -> dict[str, Any]:
    details = given.get("details")
    return dict(details) if isinstance(details, Mapping) else {"description": str(details)} if details else {}
