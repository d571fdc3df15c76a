"""Strategic merge: the rules of the API server's own."""

from typing import Any

import pytest

from botyard_operator.builders.strategic_merge import BadPatch, strategic_merge
from tests.unit.operator.builders.strategic_merges import ORIGINAL, PATCHES

Json = dict[str, Any]


@pytest.mark.parametrize("name", sorted(PATCHES))
def test_neither_side_is_changed(name: str) -> None:
    patch = PATCHES[name]
    before = (repr(ORIGINAL), repr(patch))
    strategic_merge(ORIGINAL, patch)
    assert (repr(ORIGINAL), repr(patch)) == before


def test_lists_with_a_merge_key_are_merged_entry_by_entry() -> None:
    merged = strategic_merge(ORIGINAL, PATCHES["an entry of a list"])
    worker = next(each for each in merged["spec"]["containers"] if each["name"] == "worker")
    assert worker["image"] == "registry.example.com/x:1"
    assert worker["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]


def test_lists_without_one_are_replaced() -> None:
    merged = strategic_merge(ORIGINAL, PATCHES["a list without a key"])
    assert merged["spec"]["tolerations"] == [{"key": "pool", "operator": "Exists"}]


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers[0] needs name"),
        ({"spec": {"$patch": "merge"}}, "write replace or delete"),
        ({"spec": {"containers": [{"name": "worker", "$patch": "drop"}]}}, "write replace or delete"),
        ({"spec": {"$setElementOrder/containers": [{"name": "worker"}]}}, "is no directive"),
        ({"spec": {"volumes": [{"name": "a", "$retainKeys": ["name"], "emptyDir": {}}]}}, "list of the fields to keep"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(patch: Json, words: str) -> None:
    with pytest.raises(BadPatch) as caught:
        strategic_merge(ORIGINAL, patch)
    assert words in str(caught.value)
