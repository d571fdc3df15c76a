"""…/budget and …/personas/{p}/budget: what may be spent and what was, and further amounts from people."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.budget import accounts
from botyard.budget.accounts import Window
from botyard.budget.errors import LedgerUnavailable
from botyard.budget.reports import MAX_ROWS, Account, Declared, today
from botyard.contract.spending import PersonaBudget
from botyard.core import ids
from botyard.gateway import bodies, parameters
from botyard.gateway.access import Admission, admit
from botyard.gateway.context import Gateway
from botyard.gateway.identity import Verb
from botyard.gateway.models.budgets import (
    BudgetAnswer,
    BudgetAsk,
    BudgetDay,
    BudgetLine,
    BudgetReport,
    CreditRequest,
    GrantAnswer,
    GrantRequest,
)
from botyard.gateway.problems import Problem

_DAY_MS = 24 * 3_600_000
_MOST_DAYS = 400


async def get_budget(gateway: Gateway, request: Request) -> Response:
    """Return today's spending of the Bot and all its Personas, and with `days` the days before."""
    admission = await _admit(gateway, request, verb="operate")
    parameters.only(request, "days")
    declared, now = await _declared(admission), await gateway.spending.now_ms()
    limits = {accounts.BOT: declared.bot.daily}
    days = {accounts.BOT: today("UTC", now)}
    for name in admission.route.personas:
        if (budget := declared.personas.get(name)) is not None:
            limits[accounts.persona(name)] = budget.daily
            days[accounts.persona(name)] = _today(name, budget, now)
    found = await gateway.spending.read(admission.bot, [(name, day.name) for name, day in days.items()])
    history = await _history(admission, request, now)
    answer = BudgetReport(
        accounts=tuple(_line(account, limits[account.name], days[account.name]) for account in found),
        asks=await _asks(admission, now),
        days=tuple(_day(account) for account in history),
        complete=len(history) < MAX_ROWS,
    )
    return JSONResponse(answer.model_dump())


async def get_persona_budget(gateway: Gateway, request: Request) -> Response:
    """Return what one Persona may spend and has spent: today, and in one task or thread where one is named."""
    admission = await _admit_reader(gateway, request)
    parameters.only(request, "days", "task", "thread")
    persona, declared = _persona(admission, request), await _declared(admission)
    budget, now = _budget(declared, persona), await gateway.spending.now_ms()
    day = _today(persona, budget, now)
    lines: list[tuple[str, Window | None, int | None]] = [(accounts.persona(persona), day, budget.daily)]
    if task := request.query_params.get("task", "")[:200]:
        lines.append((accounts.task(persona, task), None, budget.per_task))
    if thread := request.query_params.get("thread", "")[:200]:
        lines.append((accounts.thread(persona, thread), None, budget.per_thread))
    found = await gateway.spending.read(
        admission.bot, [(name, window.name if window else "") for name, window, _ in lines]
    )
    history = await _history(admission, request, now)
    answer = BudgetAnswer(
        persona=persona,
        time_zone=budget.time_zone,
        on_exceeded=budget.on_exceeded,
        accounts=tuple(_line(account, limit, window) for account, (_, window, limit) in zip(found, lines, strict=True)),
        asks=tuple(ask for ask in await _asks(admission, now) if ask.persona == persona),
        days=tuple(_day(account) for account in history if account.name == accounts.persona(persona)),
        complete=len(history) < MAX_ROWS,
    )
    return JSONResponse(answer.model_dump())


async def post_grant(gateway: Gateway, request: Request) -> Response:
    """Allow a Persona a further amount: for today, or for one task or thread."""
    admission = await _admit(gateway, request, verb="operate")
    parameters.only(request)
    persona = _persona(admission, request)
    body = await bodies.read_json(request, GrantRequest, limit=admission.route.max_input_bytes)
    budget = _budget(await _declared(admission), persona)
    try:
        account, new = await gateway.grant(
            admission.bot,
            body.id or f"grant_{ids.new_event()}",
            persona=persona,
            budget=budget,
            coins=body.coins,
            by=admission.principal.subject,
            task=body.task,
            thread=body.thread,
        )
    except LedgerUnavailable as error:
        raise Problem("storage-unavailable", str(error), retry_after=1) from error
    except ValueError as error:
        raise _unusable(persona, error) from error
    return JSONResponse(GrantAnswer(account=account, duplicate=not new).model_dump(), status_code=201)


async def post_credit(gateway: Gateway, request: Request) -> Response:
    """Give a user tokens that count when the quotas of the user's type are used up."""
    admission = await _admit(gateway, request, verb="operate")
    parameters.only(request)
    body = await bodies.read_json(request, CreditRequest, limit=admission.route.max_input_bytes)
    try:
        account, new = await gateway.grant_tokens(
            admission.bot,
            body.id or f"credit_{ids.new_event()}",
            user=body.user,
            tokens=body.tokens,
            by=admission.principal.subject,
        )
    except LedgerUnavailable as error:
        raise Problem("storage-unavailable", str(error), retry_after=1) from error
    return JSONResponse(GrantAnswer(account=account, duplicate=not new).model_dump(), status_code=201)


async def _admit(gateway: Gateway, request: Request, *, verb: Verb) -> Admission:
    admission = await admit(gateway, request, verb=verb)
    if wait := gateway.limiter.take((admission.principal.subject, admission.bot)):
        raise Problem("rate-limited", retry_after=wait)
    return admission


async def _admit_reader(gateway: Gateway, request: Request) -> Admission:
    """Admit who may use the bot, and who operates it without using it."""
    try:
        return await _admit(gateway, request, verb="use")
    except Problem as refusal:
        if refusal.type.name != "forbidden":
            raise
        try:
            return await _admit(gateway, request, verb="operate")
        except Problem:
            raise refusal from None


def _persona(admission: Admission, request: Request) -> str:
    persona = str(request.path_params["persona"])
    if persona not in admission.route.personas:
        raise Problem("unknown-persona", f"The bot has no Persona {persona}.")
    return persona


async def _declared(admission: Admission) -> Declared:
    """Return the budgets that the bot's replicas have in force.

    Raises:
        Problem: `bot-not-ready` where none ever ran: nobody can say what is in force.
    """
    declared = await admission.gateway.spending.declared(admission.bot)
    if not declared.told:
        raise Problem("bot-not-ready", "No replica of the bot has told yet which budgets are in force.", retry_after=5)
    return declared


def _budget(declared: Declared, persona: str) -> PersonaBudget:
    budget = declared.personas.get(persona)
    if budget is None:
        raise Problem("bot-not-ready", f"The bot's replicas do not know Persona {persona} yet.", retry_after=5)
    return budget


def _today(persona: str, budget: PersonaBudget, now: int) -> Window:
    try:
        return today(budget.time_zone, now)
    except ValueError as error:
        raise _unusable(persona, error) from error


def _unusable(persona: str, error: ValueError) -> Problem:
    return Problem("budget-unusable", f"The budget of Persona {persona} cannot be counted: {error}.")


async def _history(admission: Admission, request: Request, now: int) -> list[Account]:
    days = parameters.number(request, "days", default=0, least=0, most=_MOST_DAYS)
    if not days:
        return []
    return await admission.gateway.spending.history(admission.bot, since_ms=now - days * _DAY_MS)


async def _asks(admission: Admission, now: int) -> tuple[BudgetAsk, ...]:
    asks = await admission.gateway.spending.asks(admission.bot, now)
    return tuple(BudgetAsk.model_validate(ask) for ask in asks)


def _line(account: Account, limit: int | None, window: Window | None) -> BudgetLine:
    return BudgetLine(
        account=account.name,
        period=account.period,
        renewed_ms=window.end_ms if window else 0,
        limit=account.limit(limit),
        granted=account.granted,
        spent=account.spent,
        reserved=account.reserved,
        remaining=account.remaining(limit),
        exceeded=account.exceeded(limit),
    )


def _day(account: Account) -> BudgetDay:
    return BudgetDay(
        day=account.period,
        account=account.name,
        coins=account.spent,
        granted=account.granted,
        limit=account.cap,
        counts=dict(account.counts or {}),
    )
