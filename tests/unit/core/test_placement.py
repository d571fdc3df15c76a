"""Every replica computes the same even placement, and little moves when one joins or leaves."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from botyard.core.placement import place

NAMES = st.sets(st.text("abcdef0123456789-", min_size=1, max_size=12), min_size=1, max_size=12)


@given(names=NAMES, partitions=st.integers(1, 64))
def test_every_partition_has_one_owner_and_the_load_is_even(names: set[str], partitions: int) -> None:
    placed = place(names, partitions)
    assert sorted(placed) == list(range(partitions))
    loads = Counter(placed.values())
    assert max(loads.values()) <= -(-partitions // len(names))
    assert min(loads[name] for name in names) >= partitions // len(names)


@given(names=NAMES)
def test_the_order_of_the_list_does_not_matter(names: set[str]) -> None:
    assert place(sorted(names), 16) == place(sorted(names, reverse=True), 16)


def test_nobody_owns_anything_without_replicas() -> None:
    assert place([], 16) == {}


def test_a_replica_that_joins_takes_its_share_and_little_else_moves() -> None:
    moved = []
    for size in range(1, 9):
        names = [f"pod-{number}" for number in range(size)]
        before, after = place(names, 64), place([*names, "pod-new"], 64)
        moved.append(sum(before[number] != after[number] for number in before) - 64 // (size + 1))
    assert max(moved) <= 16
