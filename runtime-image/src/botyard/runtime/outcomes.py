"""From what a turn returned to what its commit writes."""

import json
import logging
from typing import Any, cast, get_args

from botyard import program
from botyard.core import codec, ids, records
from botyard.core.address import BotAddress
from botyard.core.envelope import TurnIdentity, envelope
from botyard.core.inbox import Entry
from botyard.core.retention import Retention
from botyard.core.turns import Begun, Commit, NextEvent, StateChange
from botyard.program import EventKind, Output, TurnError, TurnOutcome

log = logging.getLogger("botyard.turns")

MAX_STATE = 4 * 1024 * 1024
"""Bytes of a state as JSON."""
MAX_OUTPUT = 1024 * 1024
"""Bytes of one output as JSON."""
MAX_OUTPUTS = 8 * 1024 * 1024
"""Bytes of all outputs of one turn."""


def identity(bot: BotAddress, entry: Entry, attempt: int) -> TurnIdentity:
    """Return what the outputs of a run say about where they come from."""
    chat = _chat(entry)
    return TurnIdentity(
        bot,
        entry.key,
        entry.turn,
        str(chat.get("request_id") or entry.event),
        entry.user,
        attempt,
        session=str(chat.get("session_id") or ""),
        tenant=str(chat.get("tenant") or ""),
        project=str(chat.get("project") or ""),
        target=str(chat.get("target_sid") or ""),
        shown=str(chat.get("turn_id") or ""),
        person=chat.get("user"),
    )


def _chat(entry: Entry) -> dict[str, Any]:
    """Return what a channel knows of the event's session and user (`botyard.workflow.requests`)."""
    if '"chat"' not in entry.payload:
        return {}
    found = json.loads(entry.payload).get("chat")
    return found if isinstance(found, dict) else {}


def wrap(turn: TurnIdentity, output: Output, now: float) -> str:
    """Return an output in its envelope, as JSON text; `now` is in seconds since the epoch."""
    return envelope(
        turn,
        now=now,
        type=output.type,
        step=output.step,
        status=output.status,
        title=output.title,
        agent=output.agent,
        data=output.data,
        members=output.members,
        delivery=output.delivery.model_dump(exclude_defaults=True),
    )


def kind_of(kind: str) -> EventKind:
    """Return the kind of an event as programs know it.

    Raises:
        ValueError: There is none of this name.
    """
    for known in get_args(EventKind):
        if kind == known:
            return cast("EventKind", known)
    raise ValueError(f"unknown kind of event {kind!r}")


def failed(kind: str, message: str) -> TurnOutcome:
    """Return the outcome of a turn that failed without its bundle saying so."""
    return TurnOutcome(error=TurnError(kind=kind, message=message))


def within_limits(outcome: TurnOutcome) -> TurnOutcome:
    """Return `outcome`, or an error in its place when it is larger than what a conversation may hold."""
    try:
        said = (*outcome.outputs, *((outcome.completion,) if outcome.completion is not None else ()))
        sizes = [len(output.model_dump_json()) for output in said]
        if max(sizes, default=0) > MAX_OUTPUT or sum(sizes) > MAX_OUTPUTS:
            return failed(
                "OutputTooLarge",
                f"outputs of {max(sizes)} bytes, {sum(sizes)} in all; {MAX_OUTPUT} and {MAX_OUTPUTS} are allowed",
            )
        if outcome.state is not None and (size := codec.size(outcome.state)) > MAX_STATE:
            return failed("StateTooLarge", f"the state has {size} bytes as JSON; {MAX_STATE} are allowed")
        if outcome.records and (excess := records.excess(outcome.records)):
            return failed("RecordsTooLarge", excess)
    except (TypeError, ValueError) as error:
        return failed("ResultNotSerializable", f"the turn's result cannot be kept as JSON: {error}")
    return outcome


def commit_of(
    entry: Entry,
    begun: Begun | None,
    turn: TurnIdentity,
    outcome: TurnOutcome,
    started: float,
    now: float,
    retention: Retention,
    revision: str = "",
) -> Commit:
    """Return what an outcome writes.

    Args:
        entry: The event.
        begun: What its run started from; None where it could not begin.
        turn: Of its outputs.
        outcome: Within the limits.
        started: When the run began, in seconds since the epoch by Redis's clock.
        now: When it ended, by the same clock.
        retention: What is kept.
        revision: Of the bundle that runs here.
    """
    outputs = [wrap(turn, output, now) for output in outcome.outputs]
    record: dict[str, Any] = {
        "turn": entry.turn,
        "event": entry.event,
        "kind": entry.kind,
        "state": "failed" if outcome.error else "completed",
        "accepted": entry.accepted_ms,
        "started": int(started * 1000),
        "finished": int(now * 1000),
        "attempt": turn.attempt,
    }
    dead = None
    if error := outcome.error:
        record["error"] = error.model_dump()
        told = {"kind": error.kind, "message": error.message}
        outputs.append(_error(turn, told, now))
        if error.kind == "DeadLetter":
            record["state"] = "dead"
            dead = json.dumps(_letter(entry, error))
        log.warning(
            "the turn failed: %s: %s",
            error.kind,
            error.message,
            extra={"fields": {"conversation": entry.key, "turn": entry.turn, "where": error.where}},
        )
    outputs.append(_last(turn, outcome, record["state"], now))
    change: StateChange = "keep"
    if not outcome.error:
        change = "set" if outcome.state is not None and not outcome.ended else "drop"
    return Commit(
        record=json.dumps(record, ensure_ascii=False),
        outputs=outputs,
        change=change,
        state=outcome.state,
        made_by={"revision": revision, "schema": outcome.state_schema[:200]},
        records={} if outcome.error or outcome.ended else outcome.records,
        drop_records=outcome.ended and not outcome.error,
        ends=begun.ends if begun else "0",
        events=[] if outcome.error else [_next(entry, number, event) for number, event in enumerate(outcome.events)],
        dead=dead,
        now_ms=int(now * 1000),
        retention=retention,
    )


def _error(turn: TurnIdentity, told: dict[str, str], now: float) -> str:
    """Return the envelope that tells a failure; clients of the workflow channels know it in another shape."""
    if turn.person is None:
        return envelope(turn, now=now, type="chat.error", step="turn", status="error", data=told)
    told = {"error": told["message"], **told}
    title = "Workflow Error"
    return envelope(turn, now=now, type="chat.error", step="chat.error", status="error", title=title, data=told)


def _last(turn: TurnIdentity, outcome: TurnOutcome, state: str, now: float) -> str:
    """Return the envelope that marks a turn as committed."""
    said = outcome.completion if outcome.completion is not None and not outcome.error else None
    said = said or Output(type="chat.complete", status="error" if outcome.error else "completed")
    committed = {"committed": True, "state": state, "ended": outcome.ended}
    return wrap(turn, said.model_copy(update={"data": {**said.data, **committed}}), now)


def _next(entry: Entry, number: int, event: program.NextEvent) -> NextEvent:
    """Return a caused event; its id follows from its cause, so that it is the same whichever run commits it."""
    return NextEvent(
        event=f"{entry.event}.{number}",
        key=event.key or entry.key,
        kind=event.kind,
        payload=json.dumps(event.payload, ensure_ascii=False, separators=(",", ":")),
        turn=ids.new_turn(),
        user=entry.user,
        due_ms=event.due_ms,
    )


def _letter(entry: Entry, error: TurnError) -> dict[str, Any]:
    return {
        "event": entry.event,
        "key": entry.key,
        "kind": entry.kind,
        "payload": entry.payload,
        "turn": entry.turn,
        "user": entry.user,
        "at": str(entry.accepted_ms),
        "error": error.model_dump(),
    }
