"""Which transactions a snapshot has seen."""

import pytest

from botyard.connector.pgoutput import Begin
from botyard.connector.snapshot import Moment


@pytest.mark.parametrize(
    ("xid", "lsn", "seen"),
    [(99, 10, True), (100, 10, False), (101, 10, True), (105, 10, False), (99, 21, False)],
)
def test_a_snapshot_has_what_had_ended(xid: int, lsn: int, seen: bool) -> None:
    assert Moment("100:105:100,103", 20).sees(Begin(lsn, 0, xid)) is seen


def test_numbers_of_transactions_begin_again_after_four_billion() -> None:
    high = (1 << 32) + 5
    moment = Moment(f"{high - 1}:{high}:", 20)
    assert moment.sees(Begin(1, 0, 0xFFFFFFF0))
    assert moment.sees(Begin(1, 0, 4))
    assert not moment.sees(Begin(1, 0, 5))
