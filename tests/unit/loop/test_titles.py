"""Titles of threads: by rule, by a model where the Bot says so, and a person's word above both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botyard.loop.thread_turns import ENTITLE, ThreadTurns
from botyard.loop.titles import INSTRUCTION, MAX_READ, Titles
from tests.unit.loop.platform import ModelFailed, Platform, says


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """One whose Bot has titles by the model of the role `small`."""
    platform = Platform(tmp_path)
    platform.turns = ThreadTurns(platform.installation, [], platform._model, titles=Titles(role="small"))
    platform.loop.start()
    yield platform
    await platform.close()


async def talk(platform: Platform, title: object, text: str = "My bicycle makes a noise when it rains") -> None:
    platform.answers = [says("Oil the chain."), title]  # type: ignore[list-item]
    await platform.say(text)
    await platform.deliver()


async def test_the_model_is_asked_once_after_the_first_answer(platform: Platform) -> None:
    await talk(platform, says(' "Noisy bicycle" '))
    assert platform.thread()["ft_title"] == "Noisy bicycle"
    asked = platform.asked[1]
    assert asked["messages"][0] == {"role": "system", "content": INSTRUCTION}
    assert "Oil the chain." in asked["messages"][1]["content"]
    assert platform.roles == ["", "small"]
    assert [output.data["title"] for output in platform.outputs if output.type == "thread.title"] == ["Noisy bicycle"]
    platform.answers = [says("Again.")]
    await platform.say("and now?")
    await platform.deliver()
    assert len(platform.asked) == 3


async def test_it_is_part_of_what_the_thread_costs(platform: Platform) -> None:
    await talk(platform, says("Noisy bicycle"))
    assert platform.thread()["ft_coins"] == 4


async def test_the_answer_does_not_wait_for_it(platform: Platform) -> None:
    platform.answers = [says("Oil the chain.")]
    await platform.say("My bicycle makes a noise")
    assert platform.messages()[-1] == ("assistant", "Oil the chain.")
    assert platform.thread()["ft_title"] == "My bicycle makes a noise"
    assert platform.thread()["ft_error"] is None


@pytest.mark.parametrize(
    "answer",
    [
        ModelFailed("no money left", "budget_exceeded"),
        ModelFailed("busy", "provider_unavailable"),
        says("  "),
        {"malformed": 1},
    ],
    ids=["budget", "provider", "empty", "no-completion"],
)
async def test_where_it_says_none_the_rule_s_title_stays_and_the_thread_is_well(
    platform: Platform, answer: object
) -> None:
    await talk(platform, answer)
    assert platform.thread()["ft_title"] == "My bicycle makes a noise when it rains"
    assert platform.thread()["ft_error"] is None
    platform.answers = [says("Again.")]
    await platform.say("and now?")
    await platform.deliver()
    assert platform.answers == [], "it is not asked a second time"


async def test_a_turn_that_runs_again_asks_once(platform: Platform) -> None:
    platform.answers = [says("Oil the chain."), says("Noisy bicycle")]
    await platform.say("My bicycle makes a noise")
    for commit in (False, True):
        await platform.run({"action": ENTITLE}, commit=commit, event="again")
    assert len(platform.asked) == 2
    assert platform.thread()["ft_title"] == "Noisy bicycle"


async def test_a_person_s_title_stays(platform: Platform) -> None:
    platform.answers = [says("Oil the chain.")]
    await platform.say("My bicycle makes a noise")
    await platform.run({"action": "thread.title", "title": "Bicycle"})
    await platform.deliver()
    assert platform.thread()["ft_title"] == "Bicycle"
    assert len(platform.asked) == 1


async def test_a_thread_that_was_begun_with_a_title_keeps_it(platform: Platform) -> None:
    platform.answers = [says("Oil the chain.")]
    message = {"role": "user", "content": "It makes a noise"}
    await platform.run({"action": "thread.start", "title": "Bicycle", "messages": [message]})
    await platform.deliver()
    assert platform.thread()["ft_title"] == "Bicycle"


async def test_a_title_is_one_line_and_what_it_is_made_from_is_bounded(platform: Platform) -> None:
    await talk(platform, says("First line\nand more"), text="word " * 5000)
    assert platform.thread()["ft_title"] == "First line"
    assert len(platform.asked[1]["messages"][1]["content"]) <= MAX_READ


async def test_without_the_bot_s_word_no_model_is_asked(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    platform.loop.start()
    platform.answers = [says("Oil the chain.")]
    await platform.say("My bicycle makes a noise")
    await platform.deliver()
    assert platform.thread()["ft_title"] == "My bicycle makes a noise"
    await platform.close()


def test_the_config_says_whether_and_who() -> None:
    assert Titles.of({}) is None
    assert Titles.of({"titles": False}) is None
    assert Titles.of({"titles": True}) == Titles(role="")
    assert Titles.of({"titles": {"role": "small"}}) == Titles(role="small")
    for wrong in ("yes", {"rolle": "small"}, {"role": 3}):
        with pytest.raises(ValueError, match="The Bot's config: titles"):
            Titles.of({"titles": wrong})
