"""…/personas/{p}: the threads, the board and the confirmations of one Persona of a loop bot.

Changes are events like every other input: 202 means that the event store has them, and what came of them is told in
the conversation's events (`task.updated`, `task.refused`, `thread.message`, …).
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.core import ids
from botyard.core.errors import NotOwner
from botyard.core.inbox import Accepted as Receipt
from botyard.core.records import Selection
from botyard.gateway import bodies, parameters
from botyard.gateway.access import Admission, admit
from botyard.gateway.context import Gateway
from botyard.gateway.models.messages import AcceptedEvent
from botyard.gateway.models.tasks import TaskAnswer, TaskChange, TaskList, TaskMove, TaskRequest, TaskWithHistory
from botyard.gateway.models.threads import (
    ConfirmRequest,
    ThreadAnswer,
    ThreadChange,
    ThreadList,
    ThreadMessage,
    ThreadRequest,
    ThreadSummary,
    WaitingCall,
)
from botyard.gateway.problems import Problem
from botyard.gateway.thread_owners import check_name, owner_of
from botyard.loop import keys
from botyard.loop.persona_turns import TASK, THREAD
from botyard.loop.tasks import FPersonaKanbanTaskOutput
from botyard.loop.thread_state import MESSAGE


async def list_tasks(gateway: Gateway, request: Request) -> Response:
    """Return the tasks of a Persona's board, a page at a time."""
    admission, persona = await _admit(gateway, request)
    parameters.only(request, "after", "limit", "column")
    found = await _page(admission, keys.persona_key(persona), TASK, request)
    column = request.query_params.get("column")
    tasks = [_task(record) for record in found.values()]
    answer = TaskList(
        tasks=tuple(task for task in tasks if column in (None, task.column)),
        last=list(found)[-1].removeprefix(TASK) if found else "",
    )
    return JSONResponse(answer.model_dump(exclude_none=True))


async def get_task(gateway: Gateway, request: Request) -> Response:
    """Return one task of a Persona's board with its history."""
    admission, persona = await _admit(gateway, request)
    parameters.only(request)
    name = f"{TASK}{request.path_params['task']}"
    found = await gateway.records.read(admission.bot, keys.persona_key(persona), Selection(names=(name,)))
    if (record := found.get(name)) is None:
        raise Problem("unknown-task")
    history = tuple(TaskChange.model_validate(entry) for entry in record.get("ktask_history") or ())
    return JSONResponse(TaskWithHistory(**_task(record).model_dump(), history=history).model_dump(exclude_none=True))


async def post_task(gateway: Gateway, request: Request) -> Response:
    """Put a task on a Persona's board."""
    admission, persona = await _admit(gateway, request)
    body = await bodies.read_json(request, TaskRequest, limit=admission.route.max_input_bytes)
    task = body.id or f"task_{ids.new_event()}"
    payload: dict[str, Any] = {
        "action": "task.create",
        "id": task,
        "column": body.column,
        "ktask_title": body.title,
        "ktask_details": body.details,
        "ktask_budget": body.budget,
        "ktask_fexp_name": body.expert,
        "by": {"user": admission.principal.subject},
    }
    receipt = await _accept(
        admission, keys.persona_key(persona), payload, event_id=f"task.{persona}.{body.id}" if body.id else None
    )
    return _answered(keys.persona_key(persona), receipt, task=task)


async def move_task(gateway: Gateway, request: Request) -> Response:
    """Move a task to another column."""
    admission, persona = await _admit(gateway, request)
    body = await bodies.read_json(request, TaskMove, limit=admission.route.max_input_bytes)
    task = str(request.path_params["task"])
    payload: dict[str, Any] = {"action": "task.move", "id": task, "column": body.column}
    payload["by"] = {"user": admission.principal.subject}
    if body.summary:
        payload["ktask_resolution_summary"] = body.summary
    if body.thread:
        payload["ktask_inprogress_ft_id"] = body.thread
    receipt = await _accept(admission, keys.persona_key(persona), payload)
    return _answered(keys.persona_key(persona), receipt, task=task)


async def list_threads(gateway: Gateway, request: Request) -> Response:
    """Return the threads of a Persona that the caller may read, a page at a time."""
    admission, persona = await _admit(gateway, request)
    parameters.only(request, "after", "limit", "search", "archived", "waiting")
    found = await _page(admission, keys.persona_key(persona), THREAD, request)
    everyone = await admission.may_act_for_others()
    subject = admission.principal.subject
    threads = tuple(
        _summary(persona, record)
        for record in found.values()
        if (everyone or record.get("owner_fuser_id") in ("", subject)) and _is_wanted(record, request)
    )
    last = list(found)[-1].removeprefix(THREAD) if found else ""
    return JSONResponse(ThreadList(threads=threads, last=last).model_dump(exclude_none=True))


def _is_wanted(record: dict[str, Any], request: Request) -> bool:
    """Tell whether a thread is among those that are asked for."""
    given = request.query_params
    if (archived := given.get("archived")) and (archived == "true") != bool(record.get("ft_archived_ts")):
        return False
    if given.get("waiting") == "true" and not record.get("ft_confirmations"):
        return False
    words = given.get("search", "")[:200].casefold().split()
    text = f"{record.get('ft_title', '')}\n{record.get('ft_app_searchable', '')}".casefold()
    return all(word in text for word in words)


async def post_thread(gateway: Gateway, request: Request) -> Response:
    """Begin a thread with a Persona."""
    admission, persona = await _admit(gateway, request)
    body = await bodies.read_json(request, ThreadRequest, limit=admission.route.max_input_bytes)
    thread = ids.new_conversation()
    payload: dict[str, Any] = {
        "action": "thread.start",
        "title": body.title,
        "expert": body.expert or "default",
        "user": admission.principal.subject,
        "messages": [{"role": "user", "content": body.text}],
    }
    receipt = await _accept(admission, keys.thread_key(persona, thread), payload, counted=True)
    return _answered(keys.thread_key(persona, thread), receipt, thread=thread)


async def get_thread(gateway: Gateway, request: Request) -> Response:
    """Return a thread with its newest messages."""
    admission, persona = await _admit(gateway, request)
    parameters.only(request, "limit")
    thread = str(request.path_params["thread"])
    key = await _readable(admission, persona, thread)
    limit = parameters.number(request, "limit", default=100, least=1, most=1000)
    fields = await gateway.records.read(
        admission.bot, keys.persona_key(persona), Selection(names=(f"{THREAD}{thread}",))
    )
    found = await gateway.records.read(admission.bot, key, Selection(prefix=MESSAGE, limit=limit, newest_first=True))
    messages = tuple(_message(found[name]) for name in sorted(found))
    known = fields.get(f"{THREAD}{thread}") or {"ft_id": thread}
    return JSONResponse(ThreadAnswer(**_summary(persona, known).model_dump(), messages=messages).model_dump())


async def change_thread(gateway: Gateway, request: Request) -> Response:
    """Give a thread another title, put it into the archive or take it out."""
    admission, persona = await _admit(gateway, request)
    body = await bodies.read_json(request, ThreadChange, limit=admission.route.max_input_bytes)
    thread = str(request.path_params["thread"])
    key = await _readable(admission, persona, thread)
    changes: list[dict[str, Any]] = []
    if body.title is not None:
        changes.append({"action": "thread.title", "title": body.title})
    if body.archived is not None:
        changes.append({"action": "thread.archive", "archived": body.archived})
    if not changes:
        raise Problem("invalid-body", "Say what to change: `title`, `archived` or both.")
    for change in changes:
        receipt = await _accept(admission, key, change)
    return _answered(key, receipt, thread=thread)


async def post_thread_message(gateway: Gateway, request: Request) -> Response:
    """Say something in a thread."""
    admission, persona = await _admit(gateway, request)
    body = await bodies.read_json(request, ThreadRequest, limit=admission.route.max_input_bytes)
    thread = str(request.path_params["thread"])
    payload = {"text": body.text, "user": admission.principal.subject}
    receipt = await _accept(admission, keys.thread_key(persona, thread), payload, kind="message", counted=True)
    return _answered(keys.thread_key(persona, thread), receipt, thread=thread)


async def confirm_call(gateway: Gateway, request: Request) -> Response:
    """Allow or reject a call of a tool that waits for a person, and others of the same answer with it."""
    admission, persona = await _admit(gateway, request)
    body = await bodies.read_json(request, ConfirmRequest, limit=admission.route.max_input_bytes)
    call = str(request.path_params["call"])
    try:
        thread = keys.thread_of_call(call)
    except ValueError as error:
        raise Problem("bad-parameter", str(error)) from error
    decided = [{"call": call, "allow": body.allow, "reason": body.reason}]
    decided += [{"call": other.call, "allow": other.allow, "reason": other.reason} for other in body.others]
    payload = {"action": "call.confirm", "calls": decided, "by": admission.principal.subject}
    receipt = await _accept(admission, keys.thread_key(persona, thread), payload)
    return _answered(keys.thread_key(persona, thread), receipt, thread=thread)


async def _admit(gateway: Gateway, request: Request) -> tuple[Admission, str]:
    admission = await admit(gateway, request)
    persona = str(request.path_params["persona"])
    if persona not in admission.route.personas:
        raise Problem("unknown-persona", f"The bot has no Persona {persona}.")
    if wait := gateway.limiter.take((admission.principal.subject, admission.bot)):
        raise Problem("rate-limited", retry_after=wait)
    return admission, persona


async def _readable(admission: Admission, persona: str, thread: str) -> str:
    """Return a thread's key if the caller may read it.

    Raises:
        Problem: `unknown-conversation`, also for those of other users.
    """
    key = keys.thread_key(persona, thread)
    owner = await owner_of(admission, key)
    if owner is not None and (owner in ("", admission.principal.subject) or await admission.may_act_for_others()):
        return key
    raise Problem("unknown-conversation", "There is no such thread.")


async def _page(admission: Admission, key: str, prefix: str, request: Request) -> dict[str, Any]:
    limit = parameters.number(request, "limit", default=100, least=1, most=1000)
    after = request.query_params.get("after", "")[:200]
    selection = Selection(prefix=prefix, after=f"{prefix}{after}" if after else "", limit=limit)
    return await admission.gateway.records.read(admission.bot, key, selection)


async def _accept(
    admission: Admission,
    key: str,
    payload: dict[str, Any],
    *,
    kind: str = "action",
    event_id: str | None = None,
    counted: bool = False,
) -> Receipt:
    gateway, route = admission.gateway, admission.route
    if not (route.ready or route.wakes or route.queue):
        raise Problem("bot-not-ready", route.message, retry_after=5)
    # A board belongs to everybody who may use the bot; a thread to the user who began it.
    shared = key.startswith(":")
    owner = "" if shared else await owner_of(admission, key)
    check_name(key, owner)
    if counted:
        await gateway.quotas.check(admission.bot, admission.principal.subject, key=key, event=event_id)
    try:
        receipt = await gateway.inbox.accept(
            admission.bot,
            key=key,
            kind=kind,
            payload=payload,
            user="" if shared else admission.principal.subject,
            may_act_for_others=owner in ("", admission.principal.subject) or await admission.may_act_for_others(),
            event_id=event_id,
            max_pending=gateway.max_pending,
        )
    except NotOwner:
        raise Problem("conversation-of-another-user") from None
    await gateway.waker.need(route)
    gateway.metrics.accepted.labels(kind, str(receipt.duplicate).lower()).inc()
    return receipt


def _answered(conversation: str, receipt: Receipt, *, task: str | None = None, thread: str | None = None) -> Response:
    answer = AcceptedEvent(
        conversation=conversation,
        turn=receipt.turn,
        event=receipt.event,
        duplicate=receipt.duplicate,
        task=task,
        thread=thread,
    )
    return JSONResponse(answer.model_dump(exclude_none=True), 202)


def _task(record: dict[str, Any]) -> TaskAnswer:
    task = FPersonaKanbanTaskOutput.from_record(record)
    return TaskAnswer(
        id=task.ktask_id,
        title=task.ktask_title,
        column=task.calc_bucket(),
        details=task.ktask_details,
        thread=task.ktask_inprogress_ft_id,
        budget=task.ktask_budget,
        created=task.ktask_inbox_ts,
        done=task.ktask_done_ts or None,
        summary=task.ktask_resolution_summary,
    )


def _summary(persona: str, record: dict[str, Any]) -> ThreadSummary:
    thread = str(record["ft_id"])
    needs = {"assistant": "ft_need_assistant", "tools": "ft_need_tool_calls", "user": "ft_need_user"}
    waits = next((who for who, name in needs.items() if record.get(name, -1) > 0), "user")
    error = record.get("ft_error")
    return ThreadSummary(
        id=thread,
        conversation=keys.thread_key(persona, thread),
        title=str(record.get("ft_title", "")),
        expert=str(record.get("ft_fexp_name", "default")),
        waits_for=waits,
        error=str(error["message"]) if error else None,
        task=str(record.get("ft_task_id") or "") or None,
        created=float(record.get("ft_created_ts", 0.0)),
        updated=float(record.get("ft_updated_ts", 0.0)),
        archived=bool(record.get("ft_archived_ts")),
        coins=int(record.get("ft_coins") or 0),
        confirmations=tuple(
            WaitingCall(**{name: str(call.get(name, "")) for name in WaitingCall.model_fields})
            for call in record.get("ft_confirmations") or ()
        ),
    )


def _message(record: dict[str, Any]) -> ThreadMessage:
    return ThreadMessage(
        num=record["ftm_num"],
        role=record["ftm_role"],
        content=record.get("ftm_content"),
        tool_calls=record.get("ftm_tool_calls"),
        call=record.get("ftm_call_id") or None,
        created=record.get("ftm_created_ts", 0.0),
    )
