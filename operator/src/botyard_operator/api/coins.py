"""Money: always a whole number of coins, and one coin is one microdollar."""

from typing import Annotated

from botyard_operator.api.rules import Rule

MAX_COINS = 10**15
"""A billion dollars: below 2**53, so that Redis scripts, which count in doubles, stay exact."""

Coins = Annotated[
    int,
    Rule(
        cel=f"self >= 0 && self <= {MAX_COINS}",
        message=f"write coins from 0 to {MAX_COINS}; 1000000 coins are one dollar",
        holds=lambda coins: 0 <= coins <= MAX_COINS,
    ),
]
"""An amount of coins, 0 included (nothing may be spent)."""
