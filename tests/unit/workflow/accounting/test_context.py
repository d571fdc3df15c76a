"""What surrounds a call, and that it ends where the block ends."""

import asyncio
from typing import Any

import pytest

from botyard.workflow.accounting import AccountingSystem, collecting, track_llm, with_accounting


@pytest.fixture(autouse=True)
def _fresh() -> None:
    AccountingSystem.clear_context()


@track_llm()
def _ask() -> None:
    pass


def test_members_are_seen_inside_and_restored_outside() -> None:
    AccountingSystem.set_context(user_id="u1", conversation_id="outer")
    with with_accounting("a", conversation_id="inner", user_id="u2"):
        context = AccountingSystem.get_context()
        assert (context.component, context.conversation_id, context["user_id"]) == ("a", "inner", "u2")
    context = AccountingSystem.get_context()
    assert context.to_dict() == {"user_id": "u1", "conversation_id": "outer"}
    assert context.component is None


def test_what_raises_inside_restores_too() -> None:
    with pytest.raises(RuntimeError), with_accounting("a"):
        raise RuntimeError
    assert AccountingSystem.get_context().component is None


def test_metadata_and_resources_add_up_and_the_inner_word_wins() -> None:
    with collecting() as events, with_accounting("a", metadata={"x": 1, "y": 1}, seed_system_resources=["r1"]):
        with with_accounting("b", metadata={"y": 2}, seed_system_resources=["r1", "r2"]):
            _ask()
        _ask()
    inner, outer = events
    assert (inner.component, inner.metadata["x"], inner.metadata["y"]) == ("b", 1, 2)
    assert inner.seed_system_resources == ["r1", "r2"]
    assert (outer.component, outer.metadata["y"], outer.seed_system_resources) == ("a", 1, ["r1"])


async def test_it_works_asynchronously_and_tasks_do_not_see_each_other() -> None:
    async def work(name: str) -> Any:
        async with with_accounting(name, conversation_id=name):
            await asyncio.sleep(0)
            return AccountingSystem.get_context().conversation_id

    assert await asyncio.gather(*(work(name) for name in "abc")) == ["a", "b", "c"]
    assert AccountingSystem.get_context().conversation_id is None


async def test_threads_that_asyncio_starts_see_it() -> None:
    async with with_accounting("phase", turn_id="t9"):
        assert await asyncio.to_thread(lambda: AccountingSystem.get_context().turn_id) == "t9"


def test_one_object_may_surround_several_blocks() -> None:
    phase = with_accounting("phase")
    with phase, phase:
        assert AccountingSystem.get_context().component == "phase"
    assert AccountingSystem.get_context().component is None
