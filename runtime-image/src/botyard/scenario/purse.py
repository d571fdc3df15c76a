"""What a judge may cost: the worst case is set aside before it is asked, what it did cost is taken after."""

from dataclasses import dataclass

from botyard.budget.calls import Call, Usage
from botyard.budget.costs import Rates, cost, worst


class NothingLeft(Exception):
    """The next call might cost more than is left; the message says how much that is."""


@dataclass
class Purse:
    """Coins for one run of scenarios.

    Attributes:
        budget: In all.
        rates: What the model costs.
        spent: So far; a call whose cost nobody knows counts with its worst case.
        calls: Made so far.
    """

    budget: int
    rates: Rates
    spent: int = 0
    calls: int = 0

    def reserve(self, input_tokens: int, output_tokens: int) -> int:
        """Return the most that a call can cost.

        Raises:
            NothingLeft: That is more than is left.
        """
        most = worst(self.rates, Call(id="", model="", input_tokens=input_tokens), output_tokens)
        if most > self.budget - self.spent:
            raise NothingLeft(
                f"it may cost {most} coins, and {self.budget - self.spent} of {self.budget} are left (--judge-budget)"
            )
        self.calls += 1
        return most

    def settle(self, reserved: int, spent: int | None) -> None:
        """Take what a call cost; None: nobody knows, so all that was set aside."""
        self.spent += reserved if spent is None else spent

    def cost(self, usage: Usage) -> int:
        """Return the coins of a usage."""
        return cost(self.rates, usage)
