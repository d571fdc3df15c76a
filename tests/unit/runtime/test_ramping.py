"""Which conversations begin on a revision that is ramped."""

from pathlib import Path
from typing import Any

import pytest

from botyard.contract.bot import BotConfig, Limits, Ramp
from botyard.runtime.draining import Draining, Older
from botyard.runtime.ramping import in_share

KEYS = [f"conversation-{number}" for number in range(5_000)]
OLD, NEW, OTHER = {"revision": "r1"}, {"revision": "r2"}, {"revision": "r0"}


def ramp(share: int, *, name: str = "x", revision: str = "r2") -> Ramp:
    return Ramp(id=name, revision=revision, share=share)


@pytest.mark.parametrize("share", [0, 1, 10, 50, 100])
def test_the_share_is_kept(share: int) -> None:
    chosen = sum(in_share(ramp(share), key) for key in KEYS)
    assert chosen == pytest.approx(len(KEYS) * share / 100, abs=len(KEYS) * 0.02)


def test_who_was_in_a_share_is_in_every_larger_one_and_another_ramp_begins_with_others() -> None:
    few, more = ({key for key in KEYS if in_share(ramp(share), key)} for share in (10, 50))
    assert few < more
    assert few != {key for key in KEYS if in_share(ramp(10, name="y"), key)}


@pytest.fixture
def older(tmp_path: Path) -> Older:
    found = Draining("r1", tmp_path / "socket", tmp_path).older("r2", dict)
    found.pool.model = "fsm"
    return found


def config(share: int | None, **fields: Any) -> BotConfig:
    return BotConfig(namespace="shop", name="echo", ramp=None if share is None else ramp(share, **fields))


def test_a_conversation_stays_with_the_revision_that_began_it(older: Older) -> None:
    for share in (1, 50, 99):
        assert all(older.takes(key, OLD, {"text": "on"}, config(share)) for key in KEYS[:100])
        assert not any(older.takes(key, NEW, {"text": "on"}, config(share)) for key in KEYS[:100])
        assert older.takes("c", OTHER, {"text": "on"}, config(share)), "it began before the ramp"


def test_new_ones_and_those_that_begin_anew_go_by_the_share(older: Older) -> None:
    for made_by, text in ((None, "hello"), (OLD, " Hi "), (NEW, "hi")):
        taken = sum(older.takes(key, made_by, {"text": text}, config(10)) for key in KEYS)
        assert taken == pytest.approx(len(KEYS) * 0.9, abs=len(KEYS) * 0.02)


def test_only_state_machines_begin_anew(older: Older) -> None:
    older.pool.model = "workflow"
    assert all(older.takes(key, OLD, {"text": "hi"}, config(99)) for key in KEYS[:100])


def test_after_a_return_everything_goes_on_with_the_revision_before(older: Older) -> None:
    assert all(older.takes("c", made_by, {"text": "on"}, config(0)) for made_by in (None, OLD, NEW))


@pytest.mark.parametrize("ramped", [config(None), config(0, revision="r1")], ids=["none", "of the older one"])
def test_without_a_ramp_only_what_it_began_ends_there(older: Older, ramped: BotConfig) -> None:
    assert older.takes("c", OLD, {"text": "on"}, ramped)
    assert not older.takes("c", None, {"text": "on"}, ramped)
    assert not older.takes("c", NEW, {"text": "on"}, ramped)


def test_nothing_more_begins_on_a_revision_whose_place_a_third_one_takes(older: Older) -> None:
    ramped = config(10, revision="r3")
    assert all(older.takes("c", made_by, {"text": "on"}, ramped) for made_by in (None, OLD, NEW))


def test_it_has_as_many_workers_as_the_newest_while_it_has_work(older: Older) -> None:
    for share, workers in ((None, 1), (10, 4)):
        older.configure(config(share).model_copy(update={"limits": Limits(workers=4)}))
        assert older.pool._config is not None
        assert older.pool._config.limits.workers == workers
