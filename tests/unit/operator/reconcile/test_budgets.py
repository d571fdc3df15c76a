"""What statuses say of money."""

import pytest

from botyard_operator.reconcile.budgets import nearly_spent


@pytest.mark.parametrize(
    ("before", "after", "limit", "said"),
    [
        (0, 80, 100, True),
        (79, 99, 100, True),
        (0, 79, 100, False),
        (80, 90, 100, False),
        (0, 100, 100, False),
        (0, 90, None, False),
        (0, 0, 0, False),
    ],
    ids=["reached", "passed", "below", "told before", "used up", "no limit", "nothing allowed"],
)
def test_eighty_percent_of_a_day_are_told_once(before: int, after: int, limit: int | None, said: bool) -> None:
    warning = nearly_spent("Persona nora", before, after, limit)
    assert (warning is not None) is said
    if warning:
        assert warning == f"Persona nora has spent {after} of {limit} coins of the day"
