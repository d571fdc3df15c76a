"""Who is tried apart after a worker ended: those who had just begun, in halves, until the guilty one is alone."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from botyard.runtime.suspects import (
    LONGEST_PAUSE,
    LONGEST_PROOF,
    MAX_APART,
    SHORTEST_PROOF,
    YOUNG,
    Suspects,
)


@dataclass(eq=False)
class Worker:
    """A worker that does nothing."""

    name: str = "worker"
    ready: bool = True

    async def tell(self, message: Any) -> None: ...


def groups(suspects: Suspects) -> list[set[str]]:
    return [group.names for group in suspects.groups]


def test_loops_that_have_lived_long_are_not_suspected() -> None:
    suspects = Suspects()
    assert suspects.ended({"nora": 1.0, "oslo": YOUNG + 1}, 0.0, "exit code 9") == ["nora"]
    assert groups(suspects) == [{"nora"}]
    assert suspects.ended({"oslo": YOUNG + 1}, 0.0, "exit code 9") == ()
    assert suspects.blame_of("oslo") is None


def test_they_are_tried_in_halves_until_the_guilty_one_is_alone() -> None:
    suspects, now = Suspects(), 0.0
    names = [f"p{number}" for number in range(1000)]
    suspects.ended(dict.fromkeys(names, 1.0), now, "signal 11")
    ends = 0
    while (guilty := suspects.group_of("p137")) is not None and len(guilty.names) > 1:
        suspects.ended(dict.fromkeys(guilty.names, 1.0), now, "signal 11")
        ends += 1
    assert ends <= 10
    assert sum(map(len, groups(suspects))) == 1000


def test_who_ends_its_worker_alone_pauses_longer_each_time() -> None:
    suspects, now, pauses = Suspects(), 100.0, []
    for _ in range(12):
        suspects.ended({"nora": 0.1}, now, "exit code 9")
        pauses.append(suspects.pause_of("nora", now))
        now += 1000.0
    assert 0.7 <= pauses[0] <= 1.0
    assert all(later > earlier for earlier, later in pairwise(pauses[:7]))
    assert max(pauses) <= LONGEST_PAUSE
    blame = suspects.blame_of("nora")
    assert blame is not None
    assert blame.times == 12
    assert "its code ends its process (exit code 9)" in blame.message


def test_innocent_are_forgotten_and_owe_no_pause() -> None:
    suspects = Suspects()
    suspects.ended({"nora": 1.0, "oslo": 1.0}, 0.0, "exit code 9")
    for group in suspects.groups:
        assert suspects.pause_of(next(iter(group.names)), 0.0) == 0.0
        suspects.acquit(group)
    assert groups(suspects) == []
    assert suspects.blame_of("nora") is None
    assert suspects.workers == 0


@pytest.mark.parametrize(("age", "proof"), [(0.1, SHORTEST_PROOF), (20.0, 40.0), (119.0, 238.0)])
def test_they_must_run_twice_as_long_as_what_ended(age: float, proof: float) -> None:
    suspects = Suspects()
    suspects.ended({"nora": age, "oslo": age, "rome": YOUNG + 1}, 0.0, "exit code 9")
    assert [group.proof for group in suspects.groups] == [proof, proof]
    assert proof <= LONGEST_PROOF


def test_so_many_workers_are_used_at_once_and_not_more() -> None:
    suspects, now = Suspects(), 0.0
    suspects.ended(dict.fromkeys("abcdefgh", 1.0), now, "exit code 9")
    suspects.ended(dict.fromkeys(suspects.groups[0].names, 1.0), now, "exit code 9")
    assert len(suspects.groups) == 3
    assert suspects.workers == MAX_APART
    now = 10.0
    for _ in range(MAX_APART):
        group = suspects.may_begin(now)
        assert group is not None
        group.host = Worker()
    assert suspects.may_begin(now) is None


def test_a_bundle_whose_loops_all_end_is_tried_ever_slower() -> None:
    suspects, now = Suspects(), 0.0
    suspects.ended({f"p{number}": 1.0 for number in range(64)}, now, "exit code 9")
    while any(len(group.names) > 1 for group in suspects.groups):
        group = next(group for group in suspects.groups if len(group.names) > 1)
        suspects.ended(dict.fromkeys(group.names, 1.0), now, "exit code 9")
    assert suspects.may_begin(now + 1.0) is None
    later = suspects.next_look(now)
    assert later is not None
    assert suspects.may_begin(later) is not None


def test_who_was_edited_is_tried_at_once_and_who_is_gone_is_forgotten() -> None:
    suspects = Suspects()
    suspects.ended({"nora": 0.1}, 0.0, "exit code 9")
    suspects.retry("nora")
    assert suspects.pause_of("nora", 0.0) == 0.0
    suspects.keep_only({"oslo"})
    assert groups(suspects) == []
    assert suspects.blame_of("nora") is None
