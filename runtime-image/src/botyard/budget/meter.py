"""The meter: what stands between a call and its provider (see `botyard.budget.calls.Meter`)."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis

from botyard.budget import accounts, costs, keys, messages, policies
from botyard.budget.accounts import Charge, Unit
from botyard.budget.calls import Call, Hold, Settled, Spender, Usage, Warning80
from botyard.budget.errors import (
    AlreadySettled,
    BudgetError,
    BudgetExceeded,
    LedgerUnavailable,
    RepeatingCalls,
)
from botyard.budget.ledger import LEASE_MS, Balance, Done, Held, Ledger, Outcome, Refused
from botyard.budget.lines import Lines
from botyard.budget.metrics import BudgetMetrics
from botyard.budget.quotas import Quotas
from botyard.budget.repeats import Repeats
from botyard.budget.reports import Reports
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.prices import PriceTable
from botyard.contract.spending import MAX_COINS
from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable
from botyard.workflow.economics.treasury import Asked, Verdict

log = logging.getLogger("botyard.budget")

WAIT_SECONDS = 30.0
"""How long a call waits for open holds before it is refused."""
UNSETTLED = 10_000
"""Settlements that wait for the ledger; beyond that the oldest are left to lapse at their worst case."""
ASKS = 1000
"""Requests for a grant that a bot keeps."""


class Terms(Protocol):
    """What is declared now; read anew for each call, so that an edit is in force at once."""

    @property
    def bot(self) -> BotConfig:
        """The Bot's limits."""

    @property
    def personas(self) -> Mapping[str, PersonaConfig]:
        """The Personas' budgets."""

    @property
    def prices(self) -> PriceTable:
        """What models cost."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """A settlement that the ledger has not heard of."""

    hold: Hold
    coins: int
    tokens: int
    counts: Mapping[str, int]
    released: bool


class LedgerMeter:
    """Meters the calls of one replica against the ledger of its bot."""

    def __init__(
        self,
        redis: Redis,
        bot: BotAddress,
        terms: Terms,
        metrics: BudgetMetrics,
        *,
        wait_seconds: float = WAIT_SECONDS,
        lease_ms: int = LEASE_MS,
        repeats: Repeats | None = None,
    ) -> None:
        """Prepare; `run` keeps holds alive.

        Args:
            redis: Where the ledger lives.
            bot: Whose calls.
            terms: Budgets, quotas and prices.
            metrics: Told of everything.
            wait_seconds: How long a call waits for open holds.
            lease_ms: Milliseconds that holds outlive this process.
            repeats: Tells loops.
        """
        self._redis = redis
        self._bot = bot
        self._terms = terms
        self._metrics = metrics
        self._lease_ms = lease_ms
        self._ledger = Ledger(redis, bot, lease_ms=lease_ms)
        self._quotas = Quotas(Reports(redis), self._ledger, bot)
        self._lines = Lines(wait_seconds=wait_seconds)
        self._repeats = repeats or Repeats()
        self._open: dict[str, Hold] = {}
        self._unsettled: OrderedDict[str, _Ending] = OrderedDict()
        self._changed = False
        self._told: dict[Any, Any] | None = None
        self._forgetting: set[asyncio.Future[Outcome | None]] = set()

    async def reserve(self, call: Call) -> Hold:
        """Set aside the most that a call can cost (see `Meter.reserve`)."""
        try:
            return await self._reserve(call)
        except BudgetError as error:
            self._metrics.refused.labels(error.kind).inc()
            self._changed = True
            raise

    async def _reserve(self, call: Call) -> Hold:
        if call.input_tokens < 0 or call.images < 0 or (call.max_output_tokens or 0) < 0:
            raise ValueError("a call cannot send or ask for less than nothing")
        entry, rates = costs.find_price(self._terms.prices, call.provider, call.model, self._ledger.now_ms())
        self._refuse_loop(call)
        wanted = min(costs.MAX_TOKENS, call.max_output_tokens or entry.max_output)
        least = min(costs.MIN_OUTPUT, wanted)
        charges = policies.charges_of(self._terms.bot, self._terms.personas, call.spender)
        charges += [charge for provider, charge in call.spender.budgets if provider == call.provider]
        coins = costs.worst(rates, call, least), costs.worst(rates, call, wanted)
        tokens = call.input_tokens + least, call.input_tokens + wanted
        held = await self._take(call.id, charges, call.spender.persona, coins=coins, tokens=tokens)
        limit = min(costs.output_within(rates, call, held.coins, wanted), held.tokens - call.input_tokens)
        hold = Hold(
            id=call.id, max_output_tokens=limit, coins=held.coins, call=call, accounts=held.charges, rates=rates
        )
        self._opened(hold, held)
        return hold

    def _refuse_loop(self, call: Call) -> None:
        spender = call.spender
        thread = f"{spender.persona}/{spender.task}/{spender.thread}"
        if call.signature and self._repeats.is_loop(thread, call.signature):
            raise RepeatingCalls(
                "the same model call was made over and over in this thread; it is refused until the thread asks "
                "something else"
            )

    async def _take(
        self,
        call: str,
        charges: Sequence[Charge],
        persona: str,
        *,
        coins: tuple[int, int] = (0, 0),
        tokens: tuple[int, int] = (0, 0),
        wait: bool = True,
    ) -> Held:
        started = time.monotonic()
        tries = 0

        async def attempt(final: bool) -> Held | Refused | Done:
            nonlocal tries
            tries += 1
            return await self._ledger.reserve(call, charges, coins=coins, tokens=tokens, final=final)

        try:
            names = [charge.account for charge in charges]
            answer = await (self._lines.take(names, attempt) if wait else attempt(False))
        except asyncio.CancelledError:
            # The ledger may have heard of it. Whichever it hears first, nothing stays set aside.
            forget = asyncio.ensure_future(
                self._end(_Ending(Hold(id=call, max_output_tokens=0, coins=0), 0, 0, {}, True))
            )
            self._forgetting.add(forget)
            forget.add_done_callback(self._forgetting.discard)
            raise
        except ValueError as error:
            raise LedgerUnavailable(f"the budget cannot be counted: {error}") from None
        if tries > 1:
            self._metrics.waited.observe(time.monotonic() - started)
        if isinstance(answer, Done):
            raise AlreadySettled(f"call {call!r} is {answer.state} already: every request needs an id of its own")
        if isinstance(answer, Refused):
            raise await self._refusal(answer, persona)
        return answer

    async def _refusal(self, refused: Refused, persona: str) -> BudgetExceeded:
        policy = "Reject"
        if refused.account.split(":", 1)[0] in ("persona", "task", "thread"):
            policy = policies.budget_of(self._terms.personas, persona).on_exceeded
        error = messages.refusal(refused, policy)
        if policy == "Ask":
            await self._ask(refused, persona)
        return error

    async def _ask(self, refused: Refused, persona: str) -> None:
        """Leave a request for a grant; one for each account, the first one counts."""
        asked = {
            "account": refused.account,
            "persona": persona,
            "needed": refused.needed,
            "spent": refused.spent,
            "limit": refused.limit,
            "until_ms": refused.renewed_at_ms,
            "at_ms": self._ledger.now_ms(),
        }
        try:
            if await self._redis.hlen(keys.asks(self._bot)) >= ASKS:
                await self._forget_asks()
            if await self._redis.hlen(keys.asks(self._bot)) < ASKS:
                await self._redis.hsetnx(keys.asks(self._bot), refused.account, json.dumps(asked))
        except Unavailable as error:
            log.warning("nobody could be asked for a grant: %s", error)

    async def _forget_asks(self) -> None:
        """Make room: what was asked for a day that is over is not asked any more."""
        now, asks = self._ledger.now_ms(), await self._redis.hgetall(keys.asks(self._bot))
        if over := [account for account, text in asks.items() if 0 < json.loads(text)["until_ms"] <= now]:
            await self._redis.hdel(keys.asks(self._bot), *over)

    def _opened(self, hold: Hold, held: Held) -> None:
        self._open[hold.id] = hold
        self._metrics.holds.set(len(self._open))
        self._metrics.held.inc(hold.coins)
        if held.restored:
            self._metrics.restored.inc(held.restored)
            log.error("Redis has an older state: %s coins that were spent are put back into the ledger", held.restored)

    async def settle(self, hold: Hold, usage: Usage | None) -> Settled:
        """Charge what a call used (see `Meter.settle`)."""
        problem = costs.problem_of(usage)
        coins, tokens, counts = hold.coins, _tokens_held(hold), {"calls": 1}
        if usage is not None and not problem:
            coins, tokens = costs.cost(hold.rates, usage), usage.input_tokens + usage.output_tokens
            counts |= {
                "input": usage.input_tokens,
                "cached": usage.cached_input_tokens,
                "output": usage.output_tokens,
                "reasoning": usage.reasoning_tokens,
            }
            if coins > hold.coins:
                problem = f"the provider reported usage for {coins} coins; the call could cost {hold.coins} at most"
                coins = hold.coins
        if problem:
            self._metrics.absurd.inc()
            log.warning("call %s is charged %s coins: %s", hold.id, coins, problem)
            counts["problems"] = 1
        outcome = await self._end(_Ending(hold, coins, tokens, counts, released=False))
        warnings: tuple[Warning80, ...] = ()
        if outcome is not None:
            coins = outcome.coins
            warnings = tuple(Warning80(b.account, b.spent, b.limit or 0) for b in outcome.balances if b.crossed)
        self._count(hold, coins, counts)
        return Settled(coins=coins, problem=problem, warnings=warnings)

    async def release(self, hold: Hold) -> None:
        """Give a hold back (see `Meter.release`)."""
        await self._end(_Ending(hold, 0, 0, {}, released=True))

    async def charge(self, charge_id: str, spender: Spender, dollars: object) -> int:
        """Charge what a tool says that it cost (see `Meter.charge`)."""
        coins = costs.coins_of(dollars)
        charges = policies.charges_of(self._terms.bot, self._terms.personas, spender)
        try:
            await self._ledger.book(charge_id, charges, coins)
        except ValueError as error:
            raise LedgerUnavailable(f"the budget cannot be counted: {error}") from None
        self._changed = True
        self._metrics.coins.labels(spender.persona, "tools").inc(coins)
        return coins

    async def bound_task(self, persona: str, task: str, coins: int) -> None:
        """Let a task cost no more than this, where its Persona would let it cost more.

        Raises:
            LedgerUnavailable: The ledger cannot be asked.
        """
        await self._ledger.bound(accounts.task(persona, task), min(coins, MAX_COINS))

    async def admit(self, turn: str, user: str) -> Hold | None:
        """Count a user's turn in the user's quotas; settle the hold when the turn is over. It does not wait.

        Args:
            turn: Its id; a run that is repeated is the same turn.
            user: Who asks; None is returned where nothing limits users.

        Raises:
            TurnsAtOnce: As many turns of the user run as may run at once.
            QuotaExceeded: The user has had all turns of the day.
            LedgerUnavailable: The ledger cannot be asked.
        """
        charges = policies.admission_of(self._terms.bot, user)
        if not charges:
            return None
        try:
            held = await self._take(f"turn/{turn}", charges, "", wait=False)
        except AlreadySettled:
            return None
        hold = Hold(id=f"turn/{turn}", max_output_tokens=0, coins=0, accounts=held.charges)
        self._opened(hold, held)
        return hold

    async def admit_under(self, asked: Asked, turn: str) -> tuple[Verdict, Hold | None]:
        """Count a turn in the quotas that its bundle declares; `leave` says that it is over.

        Raises:
            LedgerUnavailable: The ledger cannot be asked.
        """
        name = f"quota/{turn}/{asked.lane}"
        verdict, held = await self._quotas.admit(asked, name, daily=self._terms.bot.budget.daily)
        if held is None:
            return verdict, None
        hold = Hold(id=name, max_output_tokens=0, coins=0, accounts=held.charges)
        self._opened(hold, held)
        return verdict, hold

    async def book_tokens(self, charge_id: str, charges: tuple[Charge, ...], tokens: int) -> None:
        """Charge tokens of a service of the bundle's own, after the fact, once for each id.

        Raises:
            LedgerUnavailable: The ledger cannot be asked.
        """
        await self._ledger.book(charge_id, charges, 0, tokens=tokens)

    async def leave(self, hold: Hold) -> None:
        """Say that an admitted turn is over."""
        await self._end(_Ending(hold, 0, 0, {}, released=False))

    async def _end(self, ending: _Ending) -> Outcome | None:
        """Tell the ledger of an ending; None when it cannot be told yet."""
        hold = ending.hold
        if self._open.pop(hold.id, None) is not None:
            self._metrics.holds.set(len(self._open))
            self._metrics.held.dec(hold.coins)
        try:
            outcome = await self._tell(ending)
        except LedgerUnavailable as error:
            log.warning("call %s is settled later: %s", hold.id, error)
            self._unsettled[hold.id] = ending
            while len(self._unsettled) > UNSETTLED:
                self._unsettled.popitem(last=False)
            self._metrics.unsettled.set(len(self._unsettled))
            return None
        self._lines.freed()
        return outcome

    async def _tell(self, ending: _Ending) -> Outcome:
        hold = ending.hold
        if ending.released:
            outcome = await self._ledger.release(hold.id, hold.accounts)
        else:
            outcome = await self._ledger.settle(
                hold.id,
                hold.accounts,
                coins=ending.coins,
                tokens=ending.tokens,
                counts=ending.counts,
                counted=[name for name, _, _ in hold.accounts if name.startswith((accounts.BOT + ":", "persona:"))],
            )
        self._changed = True
        for balance in outcome.balances:
            self._warn(balance)
        return outcome

    def _warn(self, balance: Balance) -> None:
        if balance.crossed:
            self._metrics.warnings.inc()
            log.warning("%s has spent %s of %s: 80 %%", messages.subject(balance.account), balance.spent, balance.limit)

    def _count(self, hold: Hold, coins: int, counts: Mapping[str, int]) -> None:
        call = hold.call
        if call is None:
            return
        self._metrics.coins.labels(call.spender.persona, call.model).inc(coins)
        for direction in ("input", "output"):
            self._metrics.tokens.labels(call.model, direction).inc(counts.get(direction, 0))

    async def run(self) -> None:
        """Keep open holds alive, settle what could not be told, and tell the operator of changes, until cancelled."""
        kept = 0.0
        while True:
            await asyncio.sleep(min(1.0, self._lease_ms / 4000))
            if time.monotonic() - kept >= self._lease_ms / 4000:
                kept = time.monotonic()
                await self.keep()
            await self.publish()

    async def keep(self) -> None:
        """Prolong this replica's holds, retry settlements, settle holds of lost workers."""
        try:
            for ending in list(self._unsettled.values()):
                await self._tell(ending)
                del self._unsettled[ending.hold.id]
                self._lines.freed()
            lapsed = await self._ledger.keep(list(self._open))
        except LedgerUnavailable as error:
            log.warning("holds cannot be prolonged: %s", error)
            return
        finally:
            self._metrics.unsettled.set(len(self._unsettled))
        if lapsed:
            self._changed = True
            self._metrics.lapsed.inc(len(lapsed))
            log.warning("%s calls of lost workers are charged at their worst case", len(lapsed))

    async def publish(self) -> None:
        """Tell which budgets are in force, and that spending changed, where either did; else nothing is written."""
        try:
            await self._publish_terms()
            if self._changed:
                self._changed = False
                seconds, micros = await self._redis.time()
                await self._redis.zadd(keys.CHANGES, {str(self._bot): seconds * 1000 + micros // 1000})
        except Unavailable as error:
            self._changed = True
            log.warning("spending cannot be told: %s", error)

    async def _publish_terms(self) -> None:
        terms: dict[Any, Any] = {"bot": self._terms.bot.budget.to_json(), keys.QUOTAS: self._terms.bot.quotas.to_json()}
        terms |= {f"persona:{name}": persona.budget.to_json() for name, persona in self._terms.personas.items()}
        if terms == self._told:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.terms(self._bot))
            pipe.hset(keys.terms(self._bot), mapping=terms)
            await pipe.execute()
        self._told = terms
        self._changed = True


def _tokens_held(hold: Hold) -> int:
    return sum(amount for _, unit, amount in hold.accounts if unit is Unit.TOKENS)
