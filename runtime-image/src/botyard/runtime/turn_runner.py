"""One event from inbox to commit: begin, run in a worker, judge, commit."""

import asyncio
import itertools
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from redis.asyncio import Redis

from botyard.budget.calls import Spender
from botyard.budget.errors import QuotaExceeded
from botyard.core.address import BotAddress, Partition
from botyard.core.clock import ServerClock
from botyard.core.control import Cancellations
from botyard.core.envelope import TurnIdentity
from botyard.core.errors import AlreadyCommitted, StaleOwner, StillParked
from botyard.core.files import Files
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.parking import Parking
from botyard.core.records import RecordsFull
from botyard.core.retention import Retention
from botyard.core.turns import Begun, Commit, Turns
from botyard.models.access import ModelAccess
from botyard.program import RESIDENT_LEFT, Output, TurnOutcome, TurnRequest
from botyard.runtime import outcomes
from botyard.runtime.admission import Admissions, Quotas, UserBusy
from botyard.runtime.attachments import FileGone, attach
from botyard.runtime.budget_events import BudgetEvents
from botyard.runtime.budget_waits import BudgetWaits
from botyard.runtime.configuration import Configuration
from botyard.runtime.database_calls import DatabaseCalls
from botyard.runtime.dispatcher import Following, Job
from botyard.runtime.draining import Older
from botyard.runtime.errors import ResidentLeft, TurnCancelled, TurnTimeout, WorkerDied
from botyard.runtime.metrics import Metrics
from botyard.runtime.parking import Aside, ParkTurn
from botyard.runtime.persistence import RETRY_CAP, persist
from botyard.runtime.pool import WorkerPool
from botyard.runtime.ramping import RampCounter
from botyard.runtime.running_turn import Emit, Handler, RunningTurn, Tell
from botyard.runtime.signals import Stop
from botyard.runtime.step_journal import JournalBounds
from botyard.runtime.task_budgets import bound_task
from botyard.runtime.turn_calls import TurnCalls, usage_of
from botyard.runtime.turn_economics import TurnEconomics
from botyard.runtime.turn_models import PLACE, TurnModels, ask_model, spender_of, with_refusal
from botyard.tracing import NO_TRACES, Span, Tracer
from botyard.usage.book import UsageBook

log = logging.getLogger("botyard.turns")

MAX_RUNS = 20
"""Runs of one event, whatever ended them; one that keeps being interrupted is given up, too."""
MAX_EMISSIONS = 1_000_000
"""Outputs that one run of a turn can send before its commit and still be told from those of its next run."""


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
        again: Callable[[str], None],
        sure: Callable[[Lease], Awaitable[float]],
        revision: str = "",
        models: ModelAccess | None = None,
        quotas: Quotas | None = None,
        usage: UsageBook | None = None,
        board: Callable[[str, Mapping[str, int]], None] | None = None,
        older: Older | None = None,
        ramp: RampCounter | None = None,
        tracer: Tracer = NO_TRACES,
        databases: DatabaseCalls | None = None,
    ) -> None:
        """Prepare.

        Args:
            redis: Where turns are committed.
            pool: Runs the bundle.
            configuration: Limits and Personas.
            metrics: Counts turns.
            retention: What is kept of conversations.
            revision: Of the bundle; kept beside each state.
            sure: Raises StaleOwner where a lease may be another's; asked before anything is done that costs.
            deliverable: Told of a partition whose commit left a timer or an event for another partition.
            again: Told of a key that was put aside and may be read again.
            models: Makes model calls; None: turns cannot make any.
            quotas: Counts the turns of users and what tools cost; None: nobody does.
            usage: Keeps what turns say that they used of services; None: nobody does.
            board: Told how many tasks are where on a Persona's board, whenever a turn of it was committed.
            older: Runs the conversations that a former revision began; None: this one does.
            ramp: Counts the turns of both; None: nobody does.
            tracer: Gets a span of each run of a turn, with its model calls and its commit.
            databases: Answers what turns ask of the company's database; None: nobody does.
        """
        self._ramp = ramp
        self._models = models
        self._board = board
        self._quotas = quotas
        self._admissions = Admissions(quotas, Cancellations(redis), again)
        self._usage = usage
        self._deliverable = deliverable
        self._sure = sure
        self._revision = revision
        self.clock = ServerClock()
        self._turns = Turns(redis)
        self._files = Files(redis)
        self._calls = TurnCalls(redis, self._turns, retention, quotas, usage, databases)
        self._parking = Parking(redis)
        self._budget_waits = BudgetWaits(redis, configuration)
        self._pool = pool
        self._older = older
        self._tracer = tracer
        self._cancelled: dict[str, Stop] = {}
        """Set to end a turn; of those that run here, and of those that begin with a commit under way."""
        self._configuration = configuration
        self._metrics = metrics
        self._retention = retention

    async def __call__(self, job: Job, following: Following) -> Aside | None:
        """Run an event until it is committed, here or elsewhere, or put aside. Never raises but when cancelled.

        It does not return before that, whatever goes wrong: what waits behind it in its conversation must not overtake
        it. Runs are counted, so an event that cannot be run becomes a dead letter.
        """
        lease, entry = job.lease, job.entry
        fields = {"conversation": entry.key, "turn": entry.turn, "event": entry.event}
        wait = 0.05
        while True:
            try:
                async with self._admissions.admitted(entry) as refusal:
                    if await self._run_once(job, following, refusal):
                        return None
            except UserBusy as error:
                return error.aside
            except StillParked as error:
                if not await self._budget_waits.over(entry):
                    return Aside(error.seconds)
            except ParkTurn as error:
                try:
                    return await self._park(lease, entry, error)
                except StaleOwner:
                    return None
            except StaleOwner as error:
                log.info("the turn is left to the partition's new owner: %s", error, extra={"fields": fields})
                return None
            except AlreadyCommitted:
                log.info("the event was committed before", extra={"fields": fields})
                return None
            except Exception:
                log.exception("the turn is run again", extra={"fields": fields})
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(wait * 2, RETRY_CAP)

    async def _park(self, lease: Lease, entry: Entry, parked: ParkTurn) -> Aside:
        log.info("put aside: %s", parked.reason, extra={"fields": {"conversation": entry.key, "turn": entry.turn}})
        seconds = await persist(
            lambda: self._parking.park(lease, entry, reason=parked.reason, until_ms=parked.until_ms, data=parked.data)
        )
        return Aside(seconds)

    def cancel(self, turn: str) -> None:
        """Cancel a turn if it runs here."""
        if event := self._cancelled.get(turn):
            event.set()

    async def _run_once(self, job: Job, following: Following, refusal: QuotaExceeded | None) -> bool:
        """Run an event once; True when it was committed, False when it is to be run again here.

        Args:
            job: The event.
            following: Takes the one behind it.
            refusal: Why its user may not have it run; it fails with that.
        """
        # From before its beginning on, which may have happened already: a cancellation is marked for the runs that
        # begin later, and told to those that have begun.
        cancelled = self._cancelled.setdefault(job.entry.turn, Stop())
        entry = job.entry
        named = {"bot": str(entry.partition.bot), "conversation": entry.key, "turn": entry.turn, "event": entry.event}
        try:
            with self._tracer.span("turn", kind="consumer", parent=entry.trace, attributes=named) as span:
                return await self._run_and_commit(job, following, cancelled, refusal, span)
        finally:
            del self._cancelled[job.entry.turn]

    async def _run_and_commit(
        self, job: Job, following: Following, cancelled: Stop, refusal: QuotaExceeded | None, span: Span
    ) -> bool:
        lease, entry = job.lease, job.entry
        since = time.monotonic()
        begun: Begun | None = None
        attempt = 1
        outcome: TurnOutcome
        try:
            # What a commit has begun is good for one run.
            begun, job.begun = job.begun, None
            if begun is None:
                begun = await persist(lambda: self._turns.begin(lease, entry, run=job.run))
            job.next_run()
            attempt = begun.attempt
            self.clock.heard(begun.now_ms)
        except ValueError as error:
            outcome = outcomes.failed("StateUnreadable", f"the saved state cannot be read: {error}")
        # Asked once: a run and its commit are of one revision, whatever the configuration says meanwhile.
        older = self._older_for(entry, begun)
        started = self.clock.now()
        identity = outcomes.identity(entry.partition.bot, entry, attempt)
        span.note(attempt=attempt, revision=self._revision, waited=started - entry.accepted_ms / 1000)
        try:
            if refusal is not None:
                outcome = outcomes.failed(refusal.kind, str(refusal))
            elif begun is not None:
                outcome = await self._outcome(lease, entry, begun, identity, cancelled, older, span)
        except FileGone as error:
            outcome = outcomes.failed("FileGone", str(error))
        except TurnTimeout as error:
            outcome = outcomes.failed("TurnTimeout", str(error))
        except TurnCancelled as error:
            outcome = outcomes.failed("TurnCancelled", str(error))
        except WorkerDied as error:
            span.fail(str(error))
            return await self._survive(lease, entry, error, attempt)
        outcome = outcomes.within_limits(outcome)
        if outcome.error is not None:
            span.fail(outcome.error.kind)
        made_by = older.revision if older is not None else self._revision

        def commit() -> Commit:
            now = self.clock.now()
            return outcomes.commit_of(entry, begun, identity, outcome, started, now, self._retention, made_by)

        try:
            with self._tracer.span("commit", parent=span.context):
                await self._commit(job, commit(), self._behind(following))
        except RecordsFull as error:
            outcome = outcomes.failed("RecordsFull", str(error))
            await self._commit(job, commit(), self._behind(following))
        if self._board is not None and outcome.tasks is not None and outcome.error is None:
            self._board(BotAddress.affinity(entry.key), outcome.tasks)
        if self._ramp is not None:
            self._ramp.count(entry.key, outcome, "new" if older is None else "old")
        self._metrics.turn(outcome, seconds=time.monotonic() - since, waited=started - entry.accepted_ms / 1000)
        return True

    def _behind(self, following: Following) -> Job | None:
        """Return the job to begin with the commit; none where its turn may have to wait for others of its user."""
        return following() if self._configuration.bot.quotas.concurrent is None else None

    async def _commit(self, job: Job, commit: Commit, following: Job | None) -> None:
        """Commit a turn and begin the one that follows it."""
        behind = following.entry if following is not None else None
        if behind is not None:
            self._cancelled.setdefault(behind.turn, Stop())
        try:
            run = following.run if following is not None else ""
            done = await persist(lambda: self._turns.commit(job.lease, job.entry, commit, following=behind, run=run))
            if following is not None:
                following.begun = done.following
        finally:
            if following is not None and following.begun is None:
                self._cancelled.pop(following.entry.turn, None)
            # Also when the commit's answer was lost and it is found to be done.
            if commit.events:
                self._deliverable(job.lease.partition)

    async def _outcome(
        self,
        lease: Lease,
        entry: Entry,
        begun: Begun,
        identity: TurnIdentity,
        cancelled: Stop,
        older: Older | None,
        span: Span,
    ) -> TurnOutcome:
        limits = self._configuration.bot.limits
        if begun.cancelled or cancelled.is_set():
            raise TurnCancelled("the turn was cancelled before it ran")
        if begun.crashes >= limits.max_attempts:
            return outcomes.failed("DeadLetter", f"workers died {begun.crashes} times while they ran this event")
        if (runs := begun.attempt - begun.parks) > MAX_RUNS:
            return outcomes.failed("DeadLetter", f"{runs - 1} runs of this event were interrupted")
        emissions, one_by_one = itertools.count(begun.attempt * MAX_EMISSIONS), asyncio.Lock()

        async def emit(output: Output) -> None:
            # One that overtook another would make the other look like one that was sent before.
            async with one_by_one:
                said, number = [outcomes.wrap(identity, output, self.clock.now())], next(emissions)
                await persist(lambda: self._turns.emit(lease, entry, said, number=number, retention=self._retention))

        if begun.attempt > 1:
            await emit(Output(type="turn.restarted", status="started"))
        bounds = JournalBounds(begun.journal)
        has_tasks = self._pool.residents is not None
        spender = spender_of(entry, self._persona_of(entry), has_tasks=has_tasks)
        if self._quotas is not None:
            await bound_task(self._quotas, entry, spender)
        models = self._models_of(lease, entry, begun, bounds, spender, cancelled, BudgetEvents(emit))

        economics = TurnEconomics(self._quotas, entry, models)

        async def handle(method: str, args: Mapping[str, Any], tell: Tell) -> Any:
            if method == "step.begin":
                return await self._sure(lease)
            if method == "model":
                with self._tracer.span("model call", kind="client", parent=span.context) as call:
                    call.note(role=str(args.get("role") or ""), kind=str(args.get("kind") or "chat"))
                    return await ask_model(models, args, tell)
            if method == "user.admit":
                return await economics.admit(args)
            if method == "usage.record":
                await economics.used(usage_of(args))
            return await self._calls.answer(lease, entry, bounds, method, args, spender if has_tasks else None)

        try:
            outcome = await self._run_in_worker(entry, begun, cancelled, emit, handle, models, older)
            return with_refusal(outcome, models)
        except ParkTurn as parked:
            told = {"reason": parked.reason, "until": parked.until_ms or None}
            await emit(Output(type="turn.parked", status="skipped", data=told))
            raise
        finally:
            if models is not None:
                models.close()
            await economics.close()
            if self._usage is not None:
                self._usage.turn_over(entry.turn)

    async def _run_in_worker(
        self,
        entry: Entry,
        begun: Begun,
        cancelled: Stop,
        emit: Emit,
        handle: Handler,
        models: TurnModels | None,
        older: Older | None,
    ) -> TurnOutcome:
        limits = self._configuration.bot.limits
        payload = json.loads(entry.payload)
        if payload.get("files"):
            files, bot = payload["files"], str(entry.partition.bot)
            payload |= await persist(lambda: attach({"files": files}, self._files, bot=bot))
        persona = self._persona_of(entry)
        if self._pool.residents is not None and persona not in self._configuration.personas:
            return outcomes.failed("UnknownPersona", f"there is no Persona {persona!r} of this Bot")
        request = TurnRequest(
            event=entry.event,
            turn=entry.turn,
            key=entry.key,
            kind=outcomes.kind_of(entry.kind),
            payload=payload,
            state=begun.state,
            reset_incompatible=self._configuration.bot.on_incompatible_state == "Reset",
            made_by=dict(begun.made_by),
            attempt=begun.attempt,
            bot=entry.partition.bot.name,
            now_ms=begun.now_ms,
            persona=self._configuration.personas.get(persona),
            config=self._configuration.bot.config or None,
        )
        outcome = await (older.pool if older is not None else self._pool).run(
            request,
            RunningTurn(request, stop=cancelled, emit=emit, handle=handle, models=models),
            timeout=limits.turn_timeout_seconds,
            journal={place: record for place, record in begun.journal.items() if not place.startswith(PLACE)},
            exclusive=begun.crashes > 0,
            resident=persona if self._pool.residents is not None else "",
        )
        if outcome.error is not None and outcome.error.kind == RESIDENT_LEFT:
            raise ResidentLeft(outcome.error.message)
        return outcome

    def _older_for(self, entry: Entry, begun: Begun | None) -> Older | None:
        """Return who runs an event that is for a former revision."""
        if self._older is None or begun is None:
            return None
        config = self._configuration.bot
        if self._pool.residents is not None:
            return self._older if self._older.keeps(self._persona_of(entry), config) else None
        made_by = begun.made_by if begun.state else None
        return self._older if self._older.takes(entry.key, made_by, json.loads(entry.payload), config) else None

    def _persona_of(self, entry: Entry) -> str:
        """Return the Persona that an event is for: the one in whose name its key is, or the one that it names."""
        if self._pool.residents is not None:
            return BotAddress.affinity(entry.key)
        return str(json.loads(entry.payload).get("persona") or "")

    def _models_of(
        self,
        lease: Lease,
        entry: Entry,
        begun: Begun,
        bounds: JournalBounds,
        spender: Spender,
        stop: Stop,
        events: BudgetEvents,
    ) -> TurnModels | None:
        """Return the model access of one run."""
        if self._models is None:
            return None

        async def put(place: str, record: bytes) -> bytes:
            bounds.count(record)
            keep = self._retention.of(entry.key)
            return await persist(lambda: self._turns.journal(lease, entry, place, record, keep=keep))

        return TurnModels(
            self._models,
            run=f"{entry.event}/{begun.attempt}",
            spender=spender,
            journal=begun.journal,
            put=put,
            mine=partial(self._sure, lease),
            name=f"{lease.partition}/{entry.id}/{entry.event}",
            stop=stop,
            events=events,
        )

    async def _survive(self, lease: Lease, entry: Entry, error: WorkerDied, attempt: int) -> bool:
        """Note who may have killed the worker; the event is run again."""
        log.warning("run again: %s", error, extra={"fields": {"conversation": entry.key, "turn": entry.turn}})
        if error.crashed:
            await persist(lambda: self._turns.blame(lease, entry, attempt))
        return False
