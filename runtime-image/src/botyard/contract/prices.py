"""What model calls cost: the price table of the ConfigMap `botyard-prices`, reloaded live.

A price is written in dollars per million tokens, as providers publish it; that is the same number as coins per token
(1 coin is 1 microdollar). Prices are kept in decimal, never in binary fractions.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from botyard.contract.base import Document

PRICES_FILE = "prices.yaml"
"""Name of the table's entry in its ConfigMap, and of the file in a runtime pod, beside `bot.json`."""
MAX_PRICE = 1_000_000
"""Dollars per million tokens, per image or per request: one dollar a token."""
MAX_TABLE_BYTES = 256 * 1024
"""Bytes of one table."""
MAX_MODELS = 2000
"""Entries of one table."""

Dollars = Annotated[Decimal, Field(ge=0, le=MAX_PRICE, decimal_places=6)]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]


class Price(Document):
    """What one model costs from a day on. Amounts are dollars per million tokens where nothing else is said."""

    valid_from: Annotated[date, Field(alias="from")] = date.min
    """First day, in UTC; left out: always."""
    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    """Input that the provider had in its cache; left out: as `input`."""
    reasoning: Dollars | None = None
    """Output that nobody sees; left out: as `output`."""
    image: Dollars = Decimal(0)
    """Dollars per million images: an image that the model makes. An image that is shown to it counts as tokens."""
    request: Dollars = Decimal(0)
    """Dollars per million requests."""


class ModelPrice(Document):
    """The prices of one model, or of all whose names match a pattern."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    """Name as calls give it; `*` and `?` are wildcards."""
    provider: Annotated[str, Field(max_length=100)] = ""
    """Provider that it is for; empty: any."""
    max_output: Tokens = 4096
    """Tokens that a call may answer when it does not say so itself."""
    prices: Annotated[tuple[Price, ...], Field(min_length=1, max_length=100)]

    def matches(self, provider: str, model: str) -> bool:
        """Whether these are the prices of a model."""
        return self.provider in ("", provider) and fnmatchcase(model, self.model)

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """Greater for the entry that says more about a model: an exact name, a longer pattern, a provider."""
        wild = any(sign in self.model for sign in "*?[")
        return (not wild, len(self.model), bool(self.provider))

    def on(self, day: date) -> Price | None:
        """Return the price that is valid on `day` (UTC), or None before the first one."""
        valid = [price for price in self.prices if price.valid_from <= day]
        return max(valid, key=lambda price: price.valid_from, default=None)


class Broken(Document):
    """An entry that cannot be read: the models that it names have no price, whatever other entries say."""

    model: str
    provider: str = ""
    problem: str


class PriceTable(Document):
    """What models cost."""

    models: tuple[ModelPrice, ...] = ()
    unknown: Literal["Refuse", "Free"] = "Refuse"
    """What happens to a call of a model without a price."""
    broken: tuple[Broken, ...] = ()

    def find(self, provider: str, model: str) -> ModelPrice | None:
        """Return the prices of a model, or None when no entry matches."""
        found = [entry for entry in self.models if entry.matches(provider, model)]
        return max(found, key=lambda entry: entry.rank, default=None)

    def problem(self, provider: str, model: str) -> str:
        """Return what is wrong with the entry that a model would have; empty when nothing is."""
        for entry in self.broken:
            if entry.provider in ("", provider) and fnmatchcase(model, entry.model):
                return entry.problem
        return ""


SCRIPTED = ModelPrice(model="*", provider="scripted", prices=(Price(input=Decimal(1), output=Decimal(1)),))
"""The scripted model: one coin a token, so that budgets can be tried without a provider."""


class InvalidPrices(ValueError):
    """A text that is no price table at all."""


def parse_prices(text: str) -> PriceTable:
    """Read a price table from YAML or JSON.

    An entry that is wrong (a price missing, negative or not a number) takes only its own models out of service.

    Raises:
        InvalidPrices: The text as a whole is no table.
    """
    if len(text.encode()) > MAX_TABLE_BYTES:
        raise InvalidPrices(f"the price table is larger than {MAX_TABLE_BYTES} bytes")
    try:
        content = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidPrices(f"the price table is no YAML: {str(error)[:300]}") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("models") or [], list):
        raise InvalidPrices("the price table must be a mapping with a list `models`")
    entries = content.get("models") or []
    if len(entries) > MAX_MODELS:
        raise InvalidPrices(f"the price table has more than {MAX_MODELS} models")
    unknown = content.get("unknown", "Refuse")
    if unknown not in ("Refuse", "Free"):
        raise InvalidPrices(f"unknown must be Refuse or Free, not {str(unknown)[:50]!r}")
    models, broken = [], []
    for number, entry in enumerate(entries):
        try:
            models.append(ModelPrice.model_validate(entry))
        except (ValidationError, RecursionError) as error:
            broken.append(_broken(number, entry, error))
    return PriceTable(models=tuple(models), unknown=unknown, broken=tuple(broken))


def _broken(number: int, entry: Any, error: Exception) -> Broken:
    fields = entry if isinstance(entry, Mapping) else {}
    model = str(fields.get("model") or "")[:200]
    problem = str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    # An entry without a name could be meant for any model, but refusing all of them would help nobody.
    return Broken(model=model, provider=str(fields.get("provider") or "")[:100], problem=f"models[{number}].{problem}")
