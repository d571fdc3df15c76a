"""States come back as they were stored, small or compressed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.core import codec

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(state=st.dictionaries(st.text(), JSON, max_size=5), padding=st.sampled_from([0, 5000]))
def test_a_state_comes_back_as_it_was(state: dict[str, object], padding: int) -> None:
    state["padding"] = "x" * padding
    assert codec.decode(codec.encode(state)) == state


def test_a_large_state_is_compressed() -> None:
    assert len(codec.encode({"text": "x" * 100_000})) < 1000


@pytest.mark.parametrize("state", [{"n": float("nan")}, {"o": object()}])
def test_what_json_cannot_express_is_refused(state: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        codec.encode(state)


@pytest.mark.parametrize("stored", [b"", b"?{}", b"j[]", b"j{", b"znonsense"])
def test_what_was_not_stored_by_us_is_told(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        codec.decode(stored)
