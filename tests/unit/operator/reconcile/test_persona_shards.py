"""Distributing Personas over ConfigMaps."""

import json

from hypothesis import given
from hypothesis import strategies as st

from botyard.contract.persona import PersonaConfig, PersonaShard
from botyard_operator.reconcile.persona_shards import Assignment, assign


def _persona(name: str, size: int = 10) -> PersonaConfig:
    return PersonaConfig(name=name, setup={"text": "x" * size})


def _places(assignment: Assignment) -> dict[str, int]:
    return {persona.name: number for number, content in enumerate(assignment.shards) for persona in content}


def test_small_personas_share_the_first_shard_in_the_order_of_their_names() -> None:
    assignment = assign([_persona("otto"), _persona("nora")], {})
    assert [persona.name for persona in assignment.shards[0]] == ["nora", "otto"]
    assert all(not content for content in assignment.shards[1:])


def test_a_new_persona_moves_no_other() -> None:
    personas = [_persona(f"p{number:02}", 100) for number in range(20)]
    before = _places(assign(personas, {}, limit=1000))
    after = _places(assign([*personas, _persona("a-new-one", 100)], before, limit=1000))
    assert {name: place for name, place in after.items() if name != "a-new-one"} == before


def test_a_persona_that_outgrows_its_shard_moves_alone() -> None:
    personas = [_persona("a", 300), _persona("b", 300)]
    before = _places(assign(personas, {}, limit=1000))
    assert before == {"a": 0, "b": 0}
    after = _places(assign([_persona("a", 300), _persona("b", 800)], before, limit=1000))
    assert after == {"a": 0, "b": 1}


def test_what_fits_nowhere_is_named() -> None:
    assignment = assign([_persona("huge", 2000), _persona("small")], {}, limit=1000)
    assert assignment.left_out == ("huge",)
    assert _places(assignment) == {"small": 0}


@given(
    sizes=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 600), max_size=30),
    current=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(-1, 9), max_size=30),
)
def test_every_persona_is_placed_once_or_left_out_and_no_shard_is_too_large(
    sizes: dict[str, int], current: dict[str, int]
) -> None:
    personas = [_persona(name, size) for name, size in sizes.items()]
    assignment = assign(personas, current, shards=4, limit=1000)
    placed = [persona.name for content in assignment.shards for persona in content]
    assert sorted([*placed, *assignment.left_out]) == sorted(sizes)
    for content in assignment.shards:
        text = PersonaShard(personas=content).to_json()
        assert len(text.encode()) <= 1000
        assert [entry["name"] for entry in json.loads(text).get("personas", [])] == sorted(p.name for p in content)
