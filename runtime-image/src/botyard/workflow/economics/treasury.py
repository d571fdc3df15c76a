"""Who counts: the platform while a turn runs on it, else whoever the host gives."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botyard.workflow.economics.policy import Budget, Limit, Row

if TYPE_CHECKING:
    from botyard.workflow.accounting.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn that asks to be admitted."""

    user: str
    limits: tuple[Limit, ...]
    lane: str = "tier"
    """`tier`: the quotas of the user's type count; `paid`: the tokens that the user paid for do."""
    budgets: tuple[Budget, ...] = ()
    """What calls of single providers may cost."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can express it."""
        limits = [[limit.name, limit.what, limit.period, limit.most] for limit in self.limits]
        budgets = [[budget.provider, budget.period, budget.coins] for budget in self.budgets]
        return {"user": self.user, "limits": limits, "lane": self.lane, "budgets": budgets}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Asked":
        """Return what `to_json` told."""
        limits = tuple(Limit(str(n), w, p, int(most)) for n, w, p, most in content["limits"])
        budgets = tuple(Budget(str(name), p, int(coins)) for name, p, coins in content.get("budgets") or ())
        return cls(str(content["user"]), limits, "paid" if content["lane"] == "paid" else "tier", budgets)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of it."""

    admitted: bool
    rows: tuple[Row, ...]
    """The limits with what is used, without this turn."""
    credit: int = 0
    """Tokens that the user has paid for and not used."""
    budget_left: int | None = None
    """Coins that the bot may still spend today; None: without a limit."""
    spent_budgets: tuple[str, ...] = ()
    """Providers whose budgets are used up."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can express it."""
        return {
            "admitted": self.admitted,
            "rows": [row.to_json() for row in self.rows],
            "credit": self.credit,
            "budget_left": self.budget_left,
            "spent_budgets": list(self.spent_budgets),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Verdict":
        """Return what `to_json` told."""
        rows = tuple(Row.from_json(row) for row in content["rows"])
        spent = tuple(map(str, content.get("spent_budgets") or ()))
        return cls(bool(content["admitted"]), rows, int(content["credit"]), content["budget_left"], spent)


class Treasury(Protocol):
    """Admits turns, and charges what they use."""

    async def admit(self, asked: Asked) -> Verdict:
        """Take a turn's slot and count its request, or say why not.

        Raises:
            TimeoutError: Nobody can say in time.
        """

    def charger(self) -> "Recorder | None":
        """Return who charges what the turn uses, event by event; None: whoever runs the turn sees it."""

    async def finish(self) -> None:
        """Say that the turn is over, however it ended."""


class PlatformTreasury:
    """The supervisor: it knows what the turn used, and when the turn ends."""

    def __init__(self, io: Any) -> None:
        self._io = io

    async def admit(self, asked: Asked) -> Verdict:
        """Ask the supervisor."""
        try:
            return Verdict.from_json(await self._io.admit_user(asked.to_json()))
        except Exception as error:
            raise TimeoutError(f"the platform cannot say: {error}") from error

    def charger(self) -> "Recorder | None":
        """Return None: the supervisor charges what it calls and what it is told."""
        return None

    async def finish(self) -> None:
        """Nothing: the supervisor sees it."""


class Unlimited:
    """Nobody counts: no Redis is there."""

    async def admit(self, asked: Asked) -> Verdict:
        """Admit everybody."""
        return Verdict(True, tuple(Row(limit.name, limit.most, 0) for limit in asked.limits))

    def charger(self) -> "Recorder | None":
        """Return None."""
        return None

    async def finish(self) -> None:
        """Nothing."""


platform: ContextVar[Treasury | None] = ContextVar("botyard_economics", default=None)
"""Set while a turn runs on the platform."""
