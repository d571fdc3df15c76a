"""Quotas, and what they say of what was used. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

What = Literal["requests", "tokens", "turns", "credit"]
Period = Literal["hour", "day", "month", "total"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a quota."""

    name: str
    """As the policy calls it."""
    what: What
    period: Period
    most: int


@dataclass(frozen=True, slots=True)
class Row:
    """One limit with what was used of it."""

    name: str
    limit: int
    used: int
    """Spent, and set aside by turns and calls under way."""
    renews_ms: int = 0
    """Milliseconds until it begins anew; 0: never."""

    @property
    def left(self) -> int:
        """What may still be used."""
        return max(0, self.limit - self.used)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Row":
        """Return what `to_json` told."""
        return cls(str(content["name"]), int(content["limit"]), int(content["used"]), int(content["renews_ms"]))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can express it."""
        return {"name": self.name, "limit": self.limit, "used": self.used, "renews_ms": self.renews_ms}


@dataclass(frozen=True)
class QuotaPolicy:
    """What a user of one type may use; None: without a limit."""

    max_concurrent: int | None = None
    requests_per_day: int | None = None
    requests_per_month: int | None = None
    total_requests: int | None = None
    tokens_per_hour: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    requests_per_hour: int | None = None
    total_tokens: int | None = None

    def limits(self) -> tuple[Limit, ...]:
        """Return the limits that are set.

        Raises:
            ValueError: One is no whole number from 0 on.
        """
        found = []
        for name, (what, period) in LIMITS.items():
            most = getattr(self, name)
            if most is None:
                continue
            if isinstance(most, bool) or not isinstance(most, int | float) or most < 0 or not math.isfinite(most):
                raise ValueError(f"{name} of a quota policy must be a number from 0 on, not {most!r}")
            found.append(Limit(name, what, period, int(most)))
        return tuple(found)


@dataclass(frozen=True)
class ProviderBudgetPolicy:
    """What calls of one provider may cost all users together, in dollars; None: without a limit."""

    provider: str = ""
    usd_per_hour: float | None = None
    usd_per_day: float | None = None
    usd_per_month: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit of a provider's budget."""

    provider: str
    period: Period
    coins: int


def budgets_of(policies: Mapping[str, Any] | None) -> tuple[Budget, ...]:
    """Return the budgets of providers, by provider, as policies or as mappings.

    Raises:
        ValueError: One is no amount of dollars.
    """
    found = []
    for name, value in (policies or {}).items():
        for period in _PERIODS:
            member = f"usd_per_{period}"
            dollars = value.get(member) if isinstance(value, Mapping) else getattr(value, member, None)
            if dollars is None:
                continue
            if isinstance(dollars, bool) or not isinstance(dollars, int | float) or not 0 <= dollars <= 1e9:
                raise ValueError(f"{member} of the budget of {name!r} must be an amount of dollars, not {dollars!r}")
            found.append(Budget(str(name), period, int(dollars * COINS_PER_DOLLAR)))
    return tuple(found)


COINS_PER_DOLLAR = 1_000_000
_PERIODS: tuple[Period, ...] = ("hour", "day", "month")

LIMITS: Mapping[str, tuple[What, Period]] = {
    "max_concurrent": ("turns", "total"),
    "requests_per_hour": ("requests", "hour"),
    "requests_per_day": ("requests", "day"),
    "requests_per_month": ("requests", "month"),
    "total_requests": ("requests", "total"),
    "tokens_per_hour": ("tokens", "hour"),
    "tokens_per_day": ("tokens", "day"),
    "tokens_per_month": ("tokens", "month"),
    "total_tokens": ("tokens", "total"),
}
CONCURRENCY = "concurrency"
"""What a policy's `max_concurrent` is called in violations."""


def policy_of(value: Any) -> QuotaPolicy:
    """Return a policy that a bundle wrote as one, as a mapping, or as an object with the same members."""
    if isinstance(value, QuotaPolicy):
        return value
    names = [item.name for item in fields(QuotaPolicy)]
    if isinstance(value, Mapping):
        return QuotaPolicy(**{name: value[name] for name in names if name in value})
    return QuotaPolicy(**{name: getattr(value, name, None) for name in names})


def policy_for(policies: Mapping[str, Any] | None, user_type: str) -> QuotaPolicy:
    """Return the policy of a type of user; nothing limits one that has none."""
    given = policies or {}
    value = given.get(user_type, given.get("default"))
    return policy_of(value) if value is not None else QuotaPolicy()


def violations(rows: Sequence[Row]) -> list[str]:
    """Return the limits that are used up; that of turns at once comes last."""
    found = [row.name for row in rows if row.name in LIMITS and row.left < 1]
    if "max_concurrent" in found:
        found.remove("max_concurrent")
        found.append(CONCURRENCY)
    return found


def described(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what users are told of their limits (`rate_limit`)."""
    known = [row for row in rows if row.name in LIMITS]
    broken = violations(rows)
    waits = {row.name: row.renews_ms for row in known if row.left < 1 and row.renews_ms}
    scope = max(waits, key=lambda name: waits[name], default=None)
    seconds = math.ceil(waits[scope] / 1000) if scope is not None else None
    messages = [row.left for row in known if "requests" in row.name]
    return {
        "limits": {row.name: row.limit for row in known},
        "remaining": {row.name: row.left for row in known},
        "violations": broken,
        "messages_remaining": min(messages, default=None),
        "retry_after_sec": seconds,
        "retry_scope": _scope(scope),
        "retry_after_hours": round(seconds / 3600, 2) if seconds is not None else None,
    }


def snapshot(rows: Sequence[Row]) -> dict[str, int]:
    """Return what was used, by limit."""
    return {row.name: row.used for row in rows}


def running_low(rows: Sequence[Row]) -> list[str]:
    """Return the limits of which a fifth or less is left."""
    return [
        row.name for row in rows if row.name != "max_concurrent" and row.name in LIMITS and row.left * 5 <= row.limit
    ]


def _scope(name: str | None) -> str | None:
    return LIMITS[name][1] if name is not None else None
