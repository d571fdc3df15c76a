"""What people read when money is short. Pure."""

from datetime import UTC, datetime

from botyard.budget.accounts import Unit
from botyard.budget.errors import BudgetExceeded, QuotaExceeded, TurnsAtOnce
from botyard.budget.ledger import Refused

_UNITS = {Unit.COINS: "coins", Unit.TOKENS: "tokens", Unit.REQUESTS: "requests", Unit.SLOTS: "turns at once"}


_OF_PERIODS = ("persona", "user-tokens", "user-requests", "quota-tokens", "quota-requests", "provider")


def subject(account: str) -> str:
    """Return an account in words: `persona:nora:2026-11-21` is "Persona nora"."""
    kind, _, name = account.partition(":")
    name = name.rsplit(":", 1)[0] if kind in _OF_PERIODS else name
    if kind == "bot":
        return "the Bot"
    if kind == "persona":
        return f"Persona {name}"
    if kind in ("task", "thread"):
        owner, _, which = name.partition("/")
        return f"{kind} {which}" + (f" of Persona {owner}" if owner else "")
    if kind == "provider":
        return f"the provider {name}"
    return f"user {name}"


def refusal(refused: Refused, policy: str) -> BudgetExceeded:
    """Return the error for a call that does not fit."""
    unit = _UNITS[refused.unit]
    text = (
        f"the budget of {subject(refused.account)} is used up: {refused.spent} of {refused.limit} {unit} are spent, "
        f"{refused.reserved} are reserved by calls under way, and this one needs at least {refused.needed}"
    )
    kind = BudgetExceeded
    if refused.unit is not Unit.COINS:
        kind = TurnsAtOnce if refused.unit is Unit.SLOTS else QuotaExceeded
        text = (
            f"the quota of {subject(refused.account)} is used up: {refused.spent + refused.reserved} of "
            f"{refused.limit} {unit}"
        )
    if policy == "Ask" and refused.unit is Unit.COINS:
        text += "; somebody was asked to grant more"
    elif refused.renewed_at_ms:
        text += f"; it begins anew at {_moment(refused.renewed_at_ms)}"
    elif refused.unit is Unit.COINS:
        text += "; it can go on when somebody raises the limit"
    return kind(
        text,
        account=refused.account,
        limit=refused.limit,
        spent=refused.spent,
        reserved=refused.reserved,
        needed=refused.needed,
        retry_at_ms=refused.renewed_at_ms,
        policy=policy,
    )


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
