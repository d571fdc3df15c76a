"""Bodies of budgets, grants and credits."""

from typing import Self

from pydantic import Field, model_validator

from botyard.contract.spending import MAX_COINS
from botyard.gateway.models.base import Answer, Body, MessageId


class BudgetLine(Answer):
    """One account now. Amounts are coins: 1 coin is 1 microdollar."""

    account: str = Field(description="`bot`, `persona:NAME`, `task:NAME/ID` or `thread:NAME/ID`.")
    period: str = Field(description="Day that it counts; empty: it never begins anew.")
    renewed_ms: int = Field(description="When it begins anew, in milliseconds since 1970; 0: never.")
    limit: int | None = Field(description="As declared; null: none.")
    granted: int = Field(description="Coins granted on top of it.")
    spent: int
    reserved: int = Field(description="Coins that calls under way may still cost.")
    remaining: int | None = Field(description="Coins that may still be reserved; null: without a limit.")
    exceeded: bool = Field(description="Nothing is left, or the call that was refused last would still not fit.")


class BudgetAsk(Answer):
    """A request for a grant: a call did not fit, and the Persona's `onExceeded` is `Ask`."""

    account: str = Field(description="With its period.")
    persona: str
    needed: int = Field(description="Coins that the call needed at least.")
    spent: int
    limit: int
    at_ms: int


class BudgetDay(Answer):
    """One account on one day."""

    day: str
    account: str
    coins: int = Field(description="Coins spent.")
    granted: int
    limit: int | None = Field(description="The limit at its last call, with what was granted; null: none.")
    counts: dict[str, int] = Field(
        description="Calls, tokens (`input`, `cached`, `output`, `reasoning`), coins of `tools`, refusals, …"
    )


class BudgetReport(Answer):
    """What a Bot and its Personas spend."""

    accounts: tuple[BudgetLine, ...] = Field(description="Today: the Bot, then its Personas.")
    asks: tuple[BudgetAsk, ...] = Field(description="What somebody is asked to grant, oldest first.")
    days: tuple[BudgetDay, ...] = Field(default=(), description="The history asked for by `days`, oldest first.")
    complete: bool = Field(default=True, description="`false`: there are more rows; ask for fewer days.")


class BudgetAnswer(BudgetReport):
    """What a Persona may spend and has spent."""

    persona: str
    time_zone: str = Field(description="In which its days begin.")
    on_exceeded: str


class GrantRequest(Body):
    """A further amount for a Persona's day, or for one task or one thread."""

    coins: int = Field(ge=1, le=MAX_COINS, description="How much more, in coins: 1 coin is 1 microdollar.")
    task: str = Field(default="", max_length=200, description="Only for this task.")
    thread: str = Field(
        default="", max_length=200, description="Only for this thread, by its conversation; not together with `task`."
    )
    id: MessageId | None = Field(default=None, description="The client's own; the same grant again does nothing.")

    @model_validator(mode="after")
    def _is_one_account(self) -> Self:
        if self.task and self.thread:
            raise ValueError("name a task or a thread, not both")
        return self


class CreditRequest(Body):
    """Tokens that a user has paid for."""

    user: str = Field(min_length=1, max_length=256, description="The user, as conversations are kept under.")
    tokens: int = Field(ge=1, le=MAX_COINS, description="How many more.")
    id: MessageId | None = Field(default=None, description="The client's own; the same credit again does nothing.")


class GrantAnswer(Answer):
    """The grant is in force."""

    account: str = Field(description="Where it counts, with its period.")
    duplicate: bool = Field(default=False, description="The same grant was made before; nothing was added.")
