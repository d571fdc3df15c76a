"""The judge of the chaos tests sees each kind of fault."""

from tests.integration.runtime.history import judge


def test_all_well() -> None:
    assert judge({"c": ["a", "b"]}, {}, {"c": ["a", "b"]}).good


def test_what_timed_out_may_be_answered_or_not() -> None:
    assert judge({"c": ["a", "b"]}, {"c": {"x"}}, {"c": ["a", "x", "b"]}).good
    assert judge({"c": ["a", "b"]}, {"c": {"x"}}, {"c": ["a", "b"]}).good
    assert judge({"c": ["a"]}, {"c": {"x"}}, {"c": ["a", "x", "x"]}).doubled == ["c: x"]


def test_each_fault_is_told() -> None:
    assert judge({"c": ["a", "b"]}, {}, {"c": ["a"]}).lost == ["c: b"]
    assert judge({"c": ["a"]}, {}, {"c": ["a", "a"]}).doubled == ["c: a"]
    assert judge({"c": ["a", "b"]}, {}, {"c": ["b", "a"]}).reordered
    assert judge({"c": ["a"]}, {}, {"c": ["a", "z"]}).invented == ["c: z"]
