"""Which accounts a call is counted in, by what is declared. Pure."""

from collections.abc import Mapping

from botyard.budget import accounts
from botyard.budget.accounts import Calendar, Charge, Unit
from botyard.budget.calls import Spender
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget

DAY = Calendar()
HOUR = Calendar(hours=True)


def budget_of(personas: Mapping[str, PersonaConfig], persona: str) -> PersonaBudget:
    """Return the budget of a Persona; the defaults where there is none of that name."""
    found = personas.get(persona)
    return found.budget if found is not None else PersonaBudget()


def bot_day(bot: BotConfig) -> Charge:
    """Return the account of all that a Bot spends on a day. A Bot's limit is hard whatever its Personas say."""
    return Charge(accounts.BOT, Unit.COINS, bot.budget.daily, calendar=DAY)


def persona_day(persona: str, budget: PersonaBudget) -> Charge:
    """Return the account of what a Persona spends on a day of its time zone."""
    enforced = budget.on_exceeded != "Warn"
    calendar = Calendar(budget.time_zone)
    return Charge(accounts.persona(persona), Unit.COINS, budget.daily, enforced, calendar)


def charges_of(bot: BotConfig, personas: Mapping[str, PersonaConfig], spender: Spender) -> list[Charge]:
    """Return the accounts that a call is counted in.

    A Persona's `Warn` is about its day: the caps of tasks and threads stop a runaway loop in any case.
    """
    budget = budget_of(personas, spender.persona)
    charges = [bot_day(bot)]
    if spender.persona:
        charges.append(persona_day(spender.persona, budget))
    if spender.task:
        charges.append(Charge(accounts.task(spender.persona, spender.task), Unit.COINS, budget.per_task))
    if spender.thread:
        charges.append(Charge(accounts.thread(spender.persona, spender.thread), Unit.COINS, budget.per_thread))
    tokens = bot.quotas.tokens_per_hour
    if spender.user and tokens is not None:
        charges.append(Charge(accounts.user(spender.user, "tokens"), Unit.TOKENS, tokens, calendar=HOUR))
    return [*charges, *spender.quotas]


def admission_of(bot: BotConfig, user: str) -> list[Charge]:
    """Return the accounts that a user's turn is counted in; none without a quota."""
    charges = []
    if user and (requests := bot.quotas.requests_per_day) is not None:
        charges.append(Charge(accounts.user(user, "requests"), Unit.REQUESTS, requests, calendar=DAY))
    if user and (turns := bot.quotas.concurrent) is not None:
        charges.append(Charge(accounts.user(user, "turns"), Unit.SLOTS, turns))
    return charges
