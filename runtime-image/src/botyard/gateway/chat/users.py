"""Which type of user a caller is, and what each type may do. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

UserType = Literal["anonymous", "registered", "paid", "privileged"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one user of a type may send, and how full a bot's inbox may be for it."""

    hourly: int | None
    """Messages an hour; None: without a limit."""
    burst: int
    """Messages a minute."""
    pressure: float
    """Part of the inbox beyond which messages of this type are refused."""
    retry_after: int
    """Seconds after which a message that was refused for pressure may be sent again."""


ALLOWANCES: Mapping[UserType, Allowance] = {
    "anonymous": Allowance(hourly=120, burst=10, pressure=0.60, retry_after=30),
    "registered": Allowance(hourly=600, burst=30, pressure=0.80, retry_after=45),
    "paid": Allowance(hourly=2000, burst=60, pressure=0.90, retry_after=45),
    "privileged": Allowance(hourly=None, burst=200, pressure=0.95, retry_after=60),
}


@dataclass(frozen=True, slots=True)
class UserRules:
    """How callers are told apart."""

    paid_groups: frozenset[str] = frozenset()
    privileged_groups: frozenset[str] = frozenset()
    anonymous: bool = False
    """Who proves nothing is let in as far as the installation's authorization lets `system:anonymous`."""
    allowances: Mapping[UserType, Allowance] = field(default_factory=lambda: ALLOWANCES)

    def type_of(self, groups: Collection[str], *, acts_for_others: bool, known: bool) -> UserType:
        """Return the type of a caller.

        Args:
            groups: Of the caller, as its authenticator tells them.
            acts_for_others: It has the verb `actas` on the bot.
            known: It proved who it is.
        """
        if acts_for_others or self.privileged_groups.intersection(groups):
            return "privileged"
        if not known:
            return "anonymous"
        return "paid" if self.paid_groups.intersection(groups) else "registered"


def allowances_of(text: str) -> Mapping[UserType, Allowance]:
    """Return the allowances with what `text` changes, such as `registered=1000/50,anonymous=10/2`.

    Raises:
        ValueError: It is not of this form.
    """
    found = dict(ALLOWANCES)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, numbers = part.partition("=")
        hourly, _, burst = numbers.partition("/")
        known = next((kind for kind in found if kind == name.strip()), None)
        if known is None or not burst.isdigit() or not (hourly.isdigit() or hourly == "unlimited"):
            raise ValueError(f"{part!r} must read TYPE=HOURLY/BURST; types are {', '.join(ALLOWANCES)}")
        old = found[known]
        most = None if hourly == "unlimited" else int(hourly)
        found[known] = Allowance(most, int(burst), old.pressure, old.retry_after)
    return found
