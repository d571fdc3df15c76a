"""Model calls of one turn: an answer that an earlier run was given is told again, and everything is charged."""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from botyard.budget.accounts import Charge
from botyard.budget.calls import Spender
from botyard.budget.errors import BudgetError
from botyard.core.inbox import Entry
from botyard.loop import keys
from botyard.models import completions
from botyard.models.access import Asked, ModelAccess
from botyard.models.completions import Collected
from botyard.models.errors import BadRequest, BudgetRefused, NoModel
from botyard.models.requests import Kind
from botyard.program import TurnError, TurnOutcome
from botyard.runtime.budget_events import BudgetEvents
from botyard.runtime.budget_waits import waits_for
from botyard.runtime.parking import ParkTurn
from botyard.runtime.signals import Stop

log = logging.getLogger("botyard.models")

PLACE = "model:"
"""Begins the places of answers in a turn's journal; steps of the bundle have numbers."""
MAX_KEPT = 4 * 1024 * 1024
"""Bytes of one answer that is kept; a larger one is asked for again when the turn is run again."""
MAX_CALLS = 1000
"""Model calls of one turn."""
PARTING = 0.5
"""Seconds between putting a turn aside and refusing its call: code that can be cancelled is, and learns nothing."""
_TRANSPORT = ("stream", "stream_options")

Put = Callable[[str, bytes], Awaitable[bytes]]
"""Keeps the record of a place and returns the one that stands."""


class TurnModels:
    """What one run of a turn may ask of models; a `botyard.models.server.Backend`.

    An answer is kept under the event, a digest of the request, and how often the turn has asked just this. So calls
    that a bundle makes side by side find their answers again in whatever order they come; a call that an earlier run
    did not make is made.
    """

    def __init__(
        self,
        access: ModelAccess,
        *,
        run: str,
        spender: Spender,
        journal: Mapping[str, bytes],
        put: Put,
        mine: Callable[[], Awaitable[Any]],
        stop: Stop,
        events: BudgetEvents | None = None,
        name: str = "",
    ) -> None:
        """Begin a run.

        Args:
            access: Makes calls.
            run: Id of this run of the event; part of the ids of its calls.
            spender: Who pays.
            journal: Records of earlier runs.
            put: Keeps a record; raises when the turn is not this replica's any more.
            mine: Raises when the turn is not this replica's any more, before anything is paid for it.
            stop: Ends the turn when set.
            events: Tells the conversation of money.
            name: Of the event, the same for all its runs and no other event of any bot; empty: calls have no names.
        """
        self._access = access
        self._run = run
        self._name = name
        self._spender = spender
        self._journal = {place: record for place, record in journal.items() if place.startswith(PLACE)}
        self._put = put
        self._mine = mine
        self._stop = stop
        self._events = events
        self._asked: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._told: set[str] = set()
        """Ids of answers, at most MAX_CALLS."""
        self._over = False
        self.refusal: BudgetError | None = None
        """Why the last call was refused, if it was for what it would have cost."""
        self.parked: ParkTurn | None = None
        """Set, and the turn is ended, when it has to wait for money."""

    def count_in(self, charges: tuple[Charge, ...], budgets: tuple[tuple[str, Charge], ...]) -> None:
        """Count the calls that follow in further accounts: all of them, and those of single providers."""
        self._spender = replace(self._spender, quotas=charges, budgets=budgets)

    def has_told(self, answer: object) -> bool:
        """Tell whether an answer of this id came through here."""
        return isinstance(answer, str) and answer in self._told

    def names(self) -> list[str]:
        """Return what a request may name."""
        return self._access.names()

    async def ask(self, kind: Kind, body: Any, *, role: str = "") -> dict[str, Any]:
        """Return a whole answer.

        Raises:
            ModelError: Refused or failed.
        """
        async with self._under_way():
            place = self._place(kind, role, body)
            if (kept := self._kept(place)) is not None:
                return kept
            plain = {name: value for name, value in body.items() if name not in _TRANSPORT}
            return await self._access.ask(
                kind, plain, self._call(place, role), lambda answer: self._keep(place, answer)
            )

    async def stream(self, body: Any, *, role: str = "") -> AsyncIterator[list[dict[str, Any]]]:
        """Yield an answer's pieces; the end comes when the whole is kept.

        Raises:
            ModelError: Refused or failed.
        """
        async with self._under_way():
            place = self._place("chat", role, body)
            if (kept := self._kept(place)) is not None:
                yield completions.chunks(kept)
                return

            async def keep(answer: dict[str, Any]) -> None:
                await self._keep(place, answer)

            async with aclosing(self._access.stream(body, self._call(place, role), keep)) as pieces:  # type: ignore[type-var]
                async for events in pieces:
                    yield events

    def close(self) -> None:
        """End what is under way: the turn is over."""
        self._over = True
        for task in self._tasks:
            task.cancel()

    @asynccontextmanager
    async def _under_way(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if self._over:
            raise BadRequest("the turn that asks is over")
        if task is not None:
            self._tasks.add(task)
        try:
            yield
        except BudgetRefused as error:
            self.refusal = error.reason
            if self._events is not None:
                await self._events.refused(error.reason)
            if parked := waits_for(error.reason, self._spender):
                self.parked = parked
                self._stop.set()
                # Answered, not broken off: clients try again what was broken off.
                if task is not None:
                    self._tasks.discard(task)
                await asyncio.sleep(PARTING)
            raise
        finally:
            with contextlib.suppress(KeyError):
                self._tasks.remove(task)  # type: ignore[arg-type]

    def _call(self, place: str, role: str) -> Asked:
        warn = self._events.warn if self._events is not None else None
        # Hashed: what users name their messages is nobody else's business.
        key = blake2b(f"{self._name}/{place}".encode(), digest_size=16).hexdigest() if self._name else ""
        return Asked(call=f"{self._run}/{place}", spender=self._spender, role=role, warn=warn, mine=self._mine, key=key)

    def _place(self, kind: Kind, role: str, body: Any) -> str:
        if not isinstance(body, Mapping):
            raise BadRequest("a request is a JSON object")
        plain = {name: value for name, value in body.items() if name not in _TRANSPORT}
        try:
            text = json.dumps([kind, role, plain], sort_keys=True, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadRequest(f"the request cannot be expressed as JSON: {error}") from error
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        if self._asked.total() >= MAX_CALLS:
            raise BadRequest(f"a turn may ask models {MAX_CALLS} times")
        self._asked[digest] += 1
        return f"{PLACE}{digest}:{self._asked[digest]}"

    def _kept(self, place: str) -> dict[str, Any] | None:
        record = self._journal.get(place)
        if record is None:
            return None
        answer: dict[str, Any] = json.loads(record)["result"]
        self._told.add(str(answer.get("id")))
        return answer

    async def _keep(self, place: str, answer: dict[str, Any]) -> None:
        self._told.add(str(answer.get("id")))
        record = json.dumps({"name": "model", "result": answer}, ensure_ascii=False, separators=(",", ":"))
        body = record.encode("utf-8", "replace")
        if len(body) > MAX_KEPT:
            log.warning("an answer of %s bytes is not kept for a re-run of its turn", len(body))
            return
        await self._put(place, body)


def spender_of(entry: Entry, persona: str, *, has_tasks: bool) -> Spender:
    """Return who pays for an event's calls: its Persona, the task that its thread works on, the thread, the user."""
    task = keys.task_of(entry.key) if has_tasks else ""
    return Spender(persona=persona, task=task, thread=entry.key, user=entry.user)


async def ask_model(models: TurnModels | None, args: Mapping[str, Any], tell: Callable[[Any], Awaitable[None]]) -> Any:
    """Answer a worker's call of the method `model`.

    Args:
        models: Of its turn; None: the turn may not ask.
        args: {kind, body, role, stream}.
        tell: Gets the events of a streamed answer.

    Raises:
        ModelError: Refused or failed.
    """
    if models is None:
        raise NoModel("this bot's turns cannot ask models")
    role, body = str(args.get("role") or ""), args.get("body")
    if args.get("kind") == "embeddings":
        return await models.ask("embeddings", body, role=role)
    if not args.get("stream"):
        return await models.ask("chat", body, role=role)
    collected = Collected()
    async with aclosing(models.stream(body, role=role)) as pieces:  # type: ignore[type-var]
        async for events in pieces:
            for event in events:
                collected.add(event)
            await tell(events)
    return collected.completion()


def with_refusal(outcome: TurnOutcome, models: TurnModels | None) -> TurnOutcome:
    """Return `outcome`, with the budget's own words where it failed because a call was refused."""
    refusal = models.refusal if models is not None else None
    if refusal is None or outcome.error is None or str(refusal) not in outcome.error.message:
        return outcome
    error = TurnError(kind=refusal.kind, message=str(refusal), where=outcome.error.where)
    return outcome.model_copy(update={"error": error})
