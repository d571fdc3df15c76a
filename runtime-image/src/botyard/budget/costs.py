"""What calls cost. Pure, in integers: millionths of a coin in the middle, coins rounded up at the end."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from botyard.budget.calls import Call, Usage
from botyard.budget.errors import InvalidCost, UnknownPrice
from botyard.contract.prices import SCRIPTED, ModelPrice, Price, PriceTable
from botyard.contract.spending import COINS_PER_DOLLAR, MAX_COINS

MICRO = 1_000_000
"""Millionths of a coin in a coin."""
MIN_OUTPUT = 16
"""Tokens of output below which a clipped call is not worth its input."""
MAX_TOKENS = 100_000_000
"""More tokens in one call than any model has: a count above is absurd."""

Rates = Mapping[str, int]
"""Millionths of a coin for one token of input, cached, output, reasoning; for one image; for one request."""

FREE: Rates = dict.fromkeys(("input", "cached", "output", "reasoning", "image", "request"), 0)


def rates_of(price: Price) -> Rates:
    """Return a price in integers. A dollar per million tokens is a coin per token."""

    def micro(amount: Decimal) -> int:
        return int(amount * MICRO)

    return {
        "input": micro(price.input),
        "cached": micro(price.input if price.cached_input is None else price.cached_input),
        "output": micro(price.output),
        "reasoning": micro(price.output if price.reasoning is None else price.reasoning),
        "image": micro(price.image),
        "request": micro(price.request),
    }


def find_price(table: PriceTable, provider: str, model: str, now_ms: int) -> tuple[ModelPrice, Rates]:
    """Return the entry and the rates of a model at a time.

    Raises:
        UnknownPrice: There is none, or the one there is cannot be read.
    """
    if problem := table.problem(provider, model):
        raise UnknownPrice(f"the price of model {model!r} is not usable: {problem}; correct it in the price table")
    entry = table.find(provider, model)
    if entry is None and provider == "scripted":
        entry = SCRIPTED
    if entry is None:
        if table.unknown == "Free":
            return SCRIPTED, FREE
        raise UnknownPrice(f"model {model!r} has no price: add it to the price table (ConfigMap botyard-prices)")
    price = entry.on(datetime.fromtimestamp(now_ms / 1000, UTC).date())
    if price is None:
        first = min(price.valid_from for price in entry.prices)
        raise UnknownPrice(f"model {model!r} has a price from {first} on only: add an earlier one to the price table")
    return entry, rates_of(price)


def cost(rates: Rates, usage: Usage) -> int:
    """Return the coins of a usage, rounded up."""
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    reasoning = min(usage.reasoning_tokens, usage.output_tokens)
    return _coins(
        (usage.input_tokens - cached) * rates["input"]
        + cached * rates["cached"]
        + (usage.output_tokens - reasoning) * rates["output"]
        + reasoning * rates["reasoning"]
        + usage.images * rates["image"]
        + rates["request"]
    )


def worst(rates: Rates, call: Call, output_tokens: int) -> int:
    """Return the most coins that a call can cost with an output limit, whatever is cached or thought about."""
    return _coins(
        call.input_tokens * max(rates["input"], rates["cached"])
        + output_tokens * max(rates["output"], rates["reasoning"])
        + call.images * rates["image"]
        + rates["request"]
    )


def output_within(rates: Rates, call: Call, coins: int, wanted: int) -> int:
    """Return the largest output limit, at most `wanted`, whose worst case is within `coins`."""
    each = max(rates["output"], rates["reasoning"])
    if each == 0:
        return wanted
    left = coins * MICRO - worst_input(rates, call)
    return max(0, min(wanted, left // each))


def worst_input(rates: Rates, call: Call) -> int:
    """Return the most that everything but the output can cost, in millionths of a coin."""
    return call.input_tokens * max(rates["input"], rates["cached"]) + call.images * rates["image"] + rates["request"]


def problem_of(usage: Usage | None) -> str:
    """Return why a usage cannot be believed; empty: it can."""
    if usage is None:
        return "the provider reported no usage"
    for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "images"):
        count = getattr(usage, name)
        if not isinstance(count, int) or isinstance(count, bool):
            return f"the provider reported {name} that is no whole number"
        if not 0 <= count <= MAX_TOKENS:
            return f"the provider reported {name} {count}"
    return ""


def coins_of(dollars: object) -> int:
    """Return a tool's cost in coins, rounded up.

    Raises:
        InvalidCost: It is no finite number of dollars from 0 to a billion.
    """
    if isinstance(dollars, bool) or not isinstance(dollars, int | float | Decimal | str):
        raise InvalidCost(f"a cost must be a number of dollars, not {type(dollars).__name__}")
    try:
        amount = Decimal(str(dollars).strip()[:100])
    except InvalidOperation:
        raise InvalidCost(f"a cost must be a number of dollars, not {str(dollars)[:50]!r}") from None
    if not amount.is_finite() or amount < 0:
        raise InvalidCost(f"a cost must be a finite number of dollars from 0 on, not {str(dollars)[:50]}")
    if amount > MAX_COINS // COINS_PER_DOLLAR:
        raise InvalidCost(f"a cost of {str(dollars)[:50]} dollars is absurd")
    return math.ceil(amount * COINS_PER_DOLLAR)


def _coins(micro: int) -> int:
    return min(MAX_COINS, -(-micro // MICRO))
