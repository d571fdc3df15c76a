"""The judge of what is paid twice sees it."""

from pathlib import Path

from tests.integration.runtime.payments import Payments


def test_what_is_asked_for_again_before_its_answer_was_kept_is_not_paid_twice(tmp_path: Path) -> None:
    payments = Payments(tmp_path / "ledger")
    for what in ("a", "a", "b"):
        payments.asked(what)
    payments.kept("a")
    payments.kept("a")
    assert payments.paid_twice() == []
    assert payments.repeated() == 1


def test_what_is_asked_for_again_afterwards_is(tmp_path: Path) -> None:
    payments = Payments(tmp_path / "ledger")
    payments.asked("a")
    payments.kept("a")
    payments.asked("b")
    payments.asked("a")
    assert payments.paid_twice() == ["a"]
