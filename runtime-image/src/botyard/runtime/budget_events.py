"""What a conversation is told of money: `budget.exceeded`, `budget.refused`, `budget.warning`."""

import logging
from collections.abc import Awaitable, Callable

from botyard.budget import messages
from botyard.budget.calls import Warning80
from botyard.budget.errors import BudgetError, BudgetExceeded, LedgerUnavailable
from botyard.program import Output

log = logging.getLogger("botyard.turns")

Tell = Callable[[Output], Awaitable[None]]


class BudgetEvents:
    """Tells the conversation of one run of a turn."""

    def __init__(self, tell: Tell) -> None:
        """Prepare.

        Args:
            tell: Sends an output at once.
        """
        self._tell = tell
        self._refused: set[str] = set()

    async def refused(self, reason: BudgetError) -> None:
        """Tell that a call was refused; of each reason once, however often a bot tries."""
        if isinstance(reason, LedgerUnavailable) or reason.kind in self._refused:
            return
        self._refused.add(reason.kind)
        data: dict[str, object] = {"kind": reason.kind, "message": str(reason)}
        if not isinstance(reason, BudgetExceeded):
            await self._say(Output(type="budget.refused", step="budget", status="error", data=data))
            return
        data |= {
            "account": reason.account,
            "limit": reason.limit,
            "spent": reason.spent,
            "reserved": reason.reserved,
            "needed": reason.needed,
            "renewed": reason.retry_at_ms or None,
            "policy": reason.policy,
        }
        await self._say(Output(type="budget.exceeded", step="budget", status="error", data=data))

    async def warn(self, warning: Warning80) -> None:
        """Tell that a call used a budget up to 80 %."""
        message = f"{messages.subject(warning.account)} has spent {warning.spent} of {warning.limit}"
        data = {"account": warning.account, "spent": warning.spent, "limit": warning.limit, "message": message}
        await self._say(Output(type="budget.warning", step="budget", status="running", data=data))

    async def _say(self, output: Output) -> None:
        try:
            await self._tell(output)
        except Exception as error:
            # The call's own outcome matters more.
            log.info("%s could not be told: %s", output.type, error)
