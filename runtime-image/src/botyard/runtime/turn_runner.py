"""One event from inbox to commit: begin, run in a worker, judge, commit."""

import asyncio
import itertools
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast, get_args

from redis.asyncio import Redis

from botyard import program
from botyard.core import codec, ids
from botyard.core.address import Partition
from botyard.core.connection import Unavailable
from botyard.core.envelope import TurnIdentity, envelope
from botyard.core.errors import AlreadyCommitted, StaleOwner
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.references import Reference, References
from botyard.core.retention import Retention
from botyard.core.turns import Begun, Commit, NextEvent, StateChange, Turns
from botyard.program import EventKind, Output, TurnError, TurnOutcome, TurnRequest
from botyard.runtime.configuration import Configuration
from botyard.runtime.metrics import Metrics
from botyard.runtime.pool import Handler, TurnCancelled, TurnTimeout, WorkerDied, WorkerPool
from botyard.runtime.step_journal import JournalBounds

log = logging.getLogger("botyard.turns")

MAX_RUNS = 20
"""Runs of one event, whatever ended them; one that keeps being interrupted is given up, too."""
MAX_EMISSIONS = 1_000_000
"""Outputs that one run of a turn can send before its commit and still be told from those of its next run."""
MAX_STATE = 4 * 1024 * 1024
"""Bytes of a state as JSON."""
MAX_OUTPUT = 1024 * 1024
"""Bytes of one output as JSON."""
MAX_OUTPUTS = 8 * 1024 * 1024
"""Bytes of all outputs of one turn."""
RETRY_CAP = 2.0
"""Seconds between tries while Redis is away, at most."""

T = TypeVar("T")


class TurnRunner:
    """Runs events to their commit."""

    def __init__(
        self,
        redis: Redis,
        pool: WorkerPool,
        configuration: Configuration,
        metrics: Metrics,
        retention: Retention,
        *,
        deliverable: Callable[[Partition], None],
    ) -> None:
        """Prepare.

        Args:
            redis: Where turns are committed.
            pool: Runs the bundle.
            configuration: Limits and Personas.
            metrics: Counts turns.
            retention: What is kept of conversations.
            deliverable: Told of a partition whose commit left a timer or an event for another partition.
        """
        self._deliverable = deliverable
        self._turns = Turns(redis)
        self._references = References(redis, retention=retention)
        self._pool = pool
        self._cancelled: dict[str, asyncio.Event] = {}
        """Of the turns that run here."""
        self._configuration = configuration
        self._metrics = metrics
        self._retention = retention

    async def __call__(self, lease: Lease, entry: Entry) -> None:
        """Run `entry` until it is committed, here or elsewhere. Never raises but when cancelled.

        It does not return before that, whatever goes wrong: what waits behind it in its conversation must not overtake
        it. Runs are counted, so an event that cannot be run becomes a dead letter.
        """
        fields = {"conversation": entry.key, "turn": entry.turn, "event": entry.event}
        wait = 0.05
        while True:
            try:
                if await self._run_once(lease, entry):
                    return
            except StaleOwner as error:
                log.info("the turn is left to the partition's new owner: %s", error, extra={"fields": fields})
                return
            except AlreadyCommitted:
                log.info("the event was committed before", extra={"fields": fields})
                return
            except Exception:
                log.exception("the turn is run again", extra={"fields": fields})
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(wait * 2, RETRY_CAP)

    def cancel(self, turn: str) -> None:
        """Cancel a turn if it runs here."""
        if event := self._cancelled.get(turn):
            event.set()

    async def _run_once(self, lease: Lease, entry: Entry) -> bool:
        """Run `entry` once; True when it was committed, False when it is to be run again here."""
        started = time.time()
        begun: Begun | None = None
        outcome: TurnOutcome
        try:
            begun = await _persist(lambda: self._turns.begin(lease, entry))
            identity = self._identity(entry, begun.attempt)
            outcome = await self._outcome(lease, entry, begun, identity)
        except ValueError as error:
            identity = self._identity(entry, 1)
            outcome = _failed("StateUnreadable", f"the saved state cannot be read: {error}")
        except TurnTimeout as error:
            outcome = _failed("TurnTimeout", str(error))
        except TurnCancelled as error:
            outcome = _failed("TurnCancelled", str(error))
        except WorkerDied as error:
            return await self._survive(lease, entry, error)
        outcome = _within_limits(outcome)
        commit = self._commit(entry, begun, identity, outcome, started)
        try:
            await _persist(lambda: self._turns.commit(lease, entry, commit))
        finally:
            # Also when the commit's answer was lost and it is found to be done.
            if commit.events:
                self._deliverable(lease.partition)
        self._metrics.turn(outcome, seconds=time.time() - started, waited=started - entry.accepted_ms / 1000)
        return True

    async def _outcome(self, lease: Lease, entry: Entry, begun: Begun, identity: TurnIdentity) -> TurnOutcome:
        limits = self._configuration.bot.limits
        if begun.cancelled:
            raise TurnCancelled("the turn was cancelled before it ran")
        if begun.crashes >= limits.max_attempts:
            return _failed("DeadLetter", f"workers died {begun.crashes} times while they ran this event")
        if begun.attempt > MAX_RUNS:
            return _failed("DeadLetter", f"{begun.attempt - 1} runs of this event were interrupted")
        emissions = itertools.count(begun.attempt * MAX_EMISSIONS)

        async def emit(output: Output) -> None:
            said, number = [_wrap(identity, output)], next(emissions)
            await _persist(lambda: self._turns.emit(lease, entry, said, number=number, retention=self._retention))

        if begun.attempt > 1:
            await emit(Output(type="turn.restarted", status="started"))

        bounds = JournalBounds(begun.journal)

        async def handle(method: str, args: Mapping[str, Any]) -> Any:
            return await self._answer(lease, entry, bounds, method, args)

        cancelled = self._cancelled[entry.turn] = asyncio.Event()
        try:
            return await self._run_in_worker(entry, begun, cancelled, emit, handle)
        finally:
            del self._cancelled[entry.turn]

    async def _run_in_worker(
        self,
        entry: Entry,
        begun: Begun,
        cancelled: asyncio.Event,
        emit: Callable[[Output], Awaitable[None]],
        handle: Handler,
    ) -> TurnOutcome:
        limits = self._configuration.bot.limits
        payload = json.loads(entry.payload)
        return await self._pool.run(
            TurnRequest(
                event=entry.event,
                turn=entry.turn,
                key=entry.key,
                kind=_kind(entry.kind),
                payload=payload,
                state=begun.state,
                attempt=begun.attempt,
                persona=self._configuration.personas.get(payload.get("persona") or ""),
            ),
            timeout=limits.turn_timeout_seconds,
            journal=begun.journal,
            exclusive=begun.crashes > 0,
            cancelled=cancelled,
            emit=emit,
            handle=handle,
        )

    async def _survive(self, lease: Lease, entry: Entry, error: WorkerDied) -> bool:
        """Note who may have killed the worker; the event is run again."""
        log.warning("run again: %s", error, extra={"fields": {"conversation": entry.key, "turn": entry.turn}})
        if error.crashed:
            await _persist(lambda: self._turns.blame(lease, entry))
        return False

    async def _answer(
        self, lease: Lease, entry: Entry, bounds: JournalBounds, method: str, args: Mapping[str, Any]
    ) -> Any:
        """Answer what a turn asks of the supervisor.

        Raises:
            ValueError: There is no such method.
            JournalFull: A step's record is too much.
        """
        if method == "reference.register":
            reference = Reference(bot=lease.partition.bot, conversation=entry.key, user=entry.user)
            name = str(args["reference"])[:200]
            return await _persist(lambda: self._references.register(name, reference))
        if method == "step.put":
            ordinal, record, keep = str(args["ordinal"]), bytes(args["record"]), self._retention.conversation
            bounds.check(ordinal, record)
            return await _persist(lambda: self._turns.journal(lease, entry, ordinal, record, keep=keep))
        raise ValueError(f"the supervisor has no method {method!r}")

    def _identity(self, entry: Entry, attempt: int) -> TurnIdentity:
        return TurnIdentity(entry.partition.bot, entry.key, entry.turn, entry.event, entry.user, attempt)

    def _commit(
        self, entry: Entry, begun: Begun | None, identity: TurnIdentity, outcome: TurnOutcome, started: float
    ) -> Commit:
        """Return what an outcome writes."""
        now = time.time()
        outputs = [_wrap(identity, output) for output in outcome.outputs]
        record: dict[str, Any] = {
            "turn": entry.turn,
            "event": entry.event,
            "kind": entry.kind,
            "state": "failed" if outcome.error else "completed",
            "accepted": entry.accepted_ms,
            "started": int(started * 1000),
            "finished": int(now * 1000),
            "attempt": identity.attempt,
        }
        dead = None
        if error := outcome.error:
            record["error"] = error.model_dump()
            told = {"kind": error.kind, "message": error.message}
            outputs.append(envelope(identity, now=now, type="chat.error", step="turn", status="error", data=told))
            if error.kind == "DeadLetter":
                record["state"] = "dead"
                dead = json.dumps(_letter(entry, error))
            log.warning(
                "the turn failed: %s: %s",
                error.kind,
                error.message,
                extra={"fields": {"conversation": entry.key, "turn": entry.turn, "where": error.where}},
            )
        last = {"committed": True, "state": record["state"], "ended": outcome.ended}
        status = "error" if outcome.error else "completed"
        outputs.append(envelope(identity, now=now, type="chat.complete", step="turn", status=status, data=last))
        change: StateChange = "keep"
        if not outcome.error:
            change = "set" if outcome.state is not None and not outcome.ended else "drop"
        return Commit(
            record=json.dumps(record, ensure_ascii=False),
            outputs=outputs,
            change=change,
            state=outcome.state,
            ends=begun.ends if begun else "0",
            events=[]
            if outcome.error
            else [_next(entry, number, event) for number, event in enumerate(outcome.events)],
            dead=dead,
            now_ms=int(now * 1000),
            retention=self._retention,
        )


def _kind(kind: str) -> EventKind:
    for known in get_args(EventKind):
        if kind == known:
            return cast("EventKind", known)
    raise ValueError(f"unknown kind of event {kind!r}")


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


def _wrap(identity: TurnIdentity, output: Output) -> str:
    return envelope(
        identity,
        now=time.time(),
        type=output.type,
        step=output.step,
        status=output.status,
        title=output.title,
        agent=output.agent,
        data=output.data,
    )


def _failed(kind: str, message: str) -> TurnOutcome:
    return TurnOutcome(error=TurnError(kind=kind, message=message))


def _within_limits(outcome: TurnOutcome) -> TurnOutcome:
    """Return `outcome`, or an error in its place when it is larger than what a conversation may hold."""
    try:
        sizes = [len(output.model_dump_json()) for output in outcome.outputs]
        if max(sizes, default=0) > MAX_OUTPUT or sum(sizes) > MAX_OUTPUTS:
            return _failed(
                "OutputTooLarge",
                f"outputs of {max(sizes)} bytes, {sum(sizes)} in all; {MAX_OUTPUT} and {MAX_OUTPUTS} are allowed",
            )
        if outcome.state is not None and (size := codec.size(outcome.state)) > MAX_STATE:
            return _failed("StateTooLarge", f"the state has {size} bytes as JSON; {MAX_STATE} are allowed")
    except (TypeError, ValueError) as error:
        return _failed("ResultNotSerializable", f"the turn's result cannot be kept as JSON: {error}")
    return outcome


async def _persist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` returns, however long Redis stays away.

    Safe because every script refuses what another owner or an earlier try has done: a commit whose answer was lost
    is found to be a duplicate. The loop ends when Redis is back, at the latest with StaleOwner.
    """
    wait = 0.05
    while True:
        try:
            return await attempt()
        except Unavailable as error:
            log.warning("Redis does not answer, trying again: %s", error)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, RETRY_CAP)
