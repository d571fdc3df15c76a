"""Why a call may not be made, by name; the message is for the bot's author and its user."""

from typing import ClassVar


class BudgetError(Exception):
    """A call was refused before it was made: nothing was spent.

    Attributes:
        kind: Name of the reason, as errors of turns and metrics show it.
    """

    kind: ClassVar[str] = "BudgetError"


class BudgetExceeded(BudgetError):
    """The call costs more than what is left.

    Attributes:
        account: What is used up, such as `persona:nora` or `thread:nora/t1`.
        limit: Coins allowed, with what was granted on top.
        spent: Coins spent.
        reserved: Coins that calls under way may still cost.
        needed: Coins that the call needs at least.
        retry_at_ms: When the account begins anew, in milliseconds since 1970; 0: never.
        policy: The Persona's `onExceeded`.
    """

    kind = "BudgetExceeded"

    def __init__(
        self,
        message: str,
        *,
        account: str,
        limit: int,
        spent: int,
        reserved: int,
        needed: int,
        retry_at_ms: int = 0,
        policy: str = "Reject",
    ) -> None:
        super().__init__(message)
        self.account = account
        self.limit = limit
        self.spent = spent
        self.reserved = reserved
        self.needed = needed
        self.retry_at_ms = retry_at_ms
        self.policy = policy


class QuotaExceeded(BudgetExceeded):
    """The user has had what one user may have; the fields count requests, tokens or turns in place of coins."""

    kind = "QuotaExceeded"


class TurnsAtOnce(QuotaExceeded):
    """As many turns of the user run as may run at once; one that ends makes room."""


class UnknownPrice(BudgetError):
    """The model has no price, so nobody can say whether the call fits."""

    kind = "UnknownPrice"


class LedgerUnavailable(BudgetError):
    """The ledger cannot be asked. What cannot be counted is not spent."""

    kind = "LedgerUnavailable"


class RepeatingCalls(BudgetError):
    """The same call is made over and over: a loop that would end with the budget."""

    kind = "RepeatingCalls"


class AlreadySettled(BudgetError):
    """A hold was asked for under the id of a call that is paid for already; every request needs an id of its own."""

    kind = "AlreadySettled"


class InvalidCost(ValueError):
    """A tool's cost that is no amount of money."""
