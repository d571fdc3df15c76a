"""Objects as few bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from botyard_operator.compact import Codec

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.text(), _VALUES, max_size=5), max_size=5))
def test_what_is_encoded_comes_back(objects: list[dict[str, Any]]) -> None:
    codec = Codec()
    encoded = [codec.encode(obj) for obj in objects]
    assert [codec.decode(each) for each in encoded] == objects


def test_objects_that_differ_in_little_take_little() -> None:
    codec = Codec()

    def child(number: int) -> dict[str, Any]:
        volumes = [{"name": f"volume-{n}", "configMap": {"name": f"bot-{number}-{n}"}} for n in range(30)]
        return {"metadata": {"name": f"bot-{number}", "uid": f"{number:032x}"}, "spec": {"volumes": volumes}}

    codec.encode(child(1))
    assert len(codec.encode(child(20_000))) * 4 < len(json.dumps(child(20_000)))


def test_a_first_object_beyond_the_window_is_no_obstacle() -> None:
    codec = Codec()
    large, small = {"data": {"text": "x\u00e4" * 100_000}}, {"data": {"text": "x"}}
    encoded = [codec.encode(large), codec.encode(small)]
    assert [codec.decode(each) for each in encoded] == [large, small]
