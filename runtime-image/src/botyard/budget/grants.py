"""Grants: a further amount for a Persona's day, a task or a thread, from a person."""

import contextlib
import json

from redis.asyncio import Redis

from botyard.budget import accounts
from botyard.budget.accounts import Calendar, Charge, Unit
from botyard.budget.ledger import Ledger
from botyard.budget.quotas import credit_of
from botyard.contract.spending import PersonaBudget
from botyard.core import control
from botyard.core import keys as core_keys
from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable


async def grant(
    redis: Redis,
    bot: BotAddress,
    grant_id: str,
    *,
    persona: str,
    budget: PersonaBudget,
    coins: int,
    by: str,
    task: str = "",
    thread: str = "",
) -> tuple[str, bool]:
    """Allow a Persona a further amount: for today, or for one of its tasks or threads.

    Args:
        redis: Where the ledger is.
        bot: Whose ledger.
        grant_id: The same grant counts once.
        persona: Who may spend it.
        budget: The Persona's budget, for its time zone.
        coins: How much more.
        by: Who grants it.
        task: Only for this task.
        thread: Only for this thread.

    Returns:
        The account with its period, and whether the grant was new.

    Raises:
        LedgerUnavailable: The ledger cannot be asked.
        ValueError: The time zone does not exist.
    """
    charge = Charge(accounts.persona(persona), Unit.COINS, calendar=Calendar(budget.time_zone))
    if task:
        charge = Charge(accounts.task(persona, task), Unit.COINS)
    elif thread:
        charge = Charge(accounts.thread(persona, thread), Unit.COINS)
    granted = await Ledger(redis, bot).grant(grant_id, charge, coins, record=json.dumps({"by": by, "id": grant_id}))
    with contextlib.suppress(*Unavailable):
        # What is not heard is found when replicas look at parked turns of themselves.
        await redis.publish(core_keys.control(bot), control.LOOK)
    return granted


async def grant_tokens(
    redis: Redis, bot: BotAddress, grant_id: str, *, user: str, tokens: int, by: str
) -> tuple[str, bool]:
    """Give a user tokens that were paid for; arguments and answer as for `grant`.

    Raises:
        LedgerUnavailable: The ledger cannot be asked.
    """
    record = json.dumps({"by": by, "id": grant_id})
    return await Ledger(redis, bot).grant(grant_id, credit_of(user), tokens, record=record)
