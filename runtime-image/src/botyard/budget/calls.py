"""What is metered: calls, who makes them, what they used; and the protocol that meters them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from botyard.budget.accounts import Charge, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Who pays. Fields that do not apply are empty."""

    persona: str = ""
    task: str = ""
    thread: str = ""
    """Thread of the Persona, or the conversation."""
    user: str = ""
    quotas: tuple[Charge, ...] = ()
    """Further accounts: those of the quotas that the turn was admitted under."""
    budgets: tuple[tuple[str, Charge], ...] = ()
    """Further accounts of calls of single providers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that is about to be sent to a provider."""

    id: str
    """Of this very request: a retry that the provider may bill again is another call with another id."""
    model: str
    input_tokens: int
    """Upper bound of what is sent."""
    max_output_tokens: int | None = None
    """What the caller asks for; None: what the price table says."""
    provider: str = ""
    spender: Spender = Spender()
    signature: str = ""
    """Digest of what this call asks anew, such as its last messages, for telling loops; empty: not looked at."""
    images: int = 0
    """Images that it makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a provider says that a call used."""

    input_tokens: int
    """All input, cached input included."""
    output_tokens: int
    """All output, reasoning included."""
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What is set aside for a call until it is settled."""

    id: str
    max_output_tokens: int
    """Limit to send to the provider: what was asked for, clipped to what is left."""
    coins: int
    """Coins set aside: the most that the call can cost with that limit."""
    call: Call | None = None
    accounts: tuple[tuple[str, Unit, int], ...] = field(default=(), repr=False)
    """Where it is set aside: account with its period, unit and amount."""
    rates: Mapping[str, int] = field(default_factory=dict, repr=False)
    """The price that was valid when the call was made, in millionths of a coin."""


@dataclass(frozen=True, slots=True)
class Warning80:
    """An account of which 80 % are spent since just now."""

    account: str
    """With its period."""
    spent: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a hold."""

    coins: int
    """Coins that the call was charged."""
    problem: str = ""
    """What was wrong with the reported usage; empty: nothing."""
    warnings: tuple[Warning80, ...] = ()
    """Accounts of which it spent so much that 80 % of the limit were reached."""


class Meter(Protocol):
    """Lets calls be made as long as they fit into every budget."""

    async def reserve(self, call: Call) -> Hold:
        """Set aside the most that a call can cost; waits a bounded time for open holds when it does not fit.

        Raises:
            BudgetError: The call must not be made (see `botyard.budget.errors`).
        """

    async def settle(self, hold: Hold, usage: Usage | None) -> Settled:
        """Charge what a call used. Never raises: what cannot be told now is told later, or lapses at its worst case.

        Args:
            hold: From `reserve`; settling it twice charges it once.
            usage: As the provider reports it; None, negative or impossible: the worst case is charged.
        """

    async def release(self, hold: Hold) -> None:
        """Give a hold back: the request never reached the provider, or was refused by it unbilled."""

    async def charge(self, charge_id: str, spender: Spender, dollars: object) -> int:
        """Charge what a tool says that it cost, after the fact; return the coins.

        Args:
            charge_id: Charging it twice under one id charges it once.
            spender: Who pays.
            dollars: A number of dollars; rounded up to a whole coin.

        Raises:
            InvalidCost: It is no number, negative, not finite or absurdly large; nothing is charged.
            LedgerUnavailable: The ledger cannot be asked.
        """
