"""What a model says that is no answer, calls that fit no tool, handlers and subchats that never end, long threads."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from botyard.loop import effects
from botyard.loop.answers import MAX_CALLS, ModelFailed
from botyard.loop.errors import WaitForSubchats
from botyard.loop.thread_state import KEPT, LONG
from botyard.loop.thread_turns import ThreadTurns
from botyard.loop.tools import CloudTool, FCloudtoolCall
from tests.unit.loop.platform import Platform, calls, says

STRICT = CloudTool(
    strict=True,
    name="count",
    description="",
    parameters={
        "type": "object",
        "properties": {"what": {"type": "string"}, "times": {"type": "integer"}},
        "required": ["what", "times"],
        "additionalProperties": False,
    },
)
LOOSE = CloudTool(
    strict=False, name="loose", description="", parameters={"type": "object", "properties": {"n": {"type": "integer"}}}
)
OTHERS = [
    CloudTool(strict=False, name=name, description="", parameters={"type": "object", "properties": {}})
    for name in ("sleeps", "stubborn", "asks")
]
seen: list[dict[str, Any]] = []


async def count(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    seen.append(args)
    return "counted"


async def sleeps(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    await asyncio.sleep(3600)
    return "woke up"


async def stubborn(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "an answer nobody waits for"
    return "woke up"


async def asks(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    caused = effects.current()
    assert caused is not None
    sub = caused.new_id("sub")
    started = {"action": "thread.start", "messages": [{"role": "user", "content": "q"}]}
    caused.add(f"nora~{sub}", started | {"parent": {"thread": call.fcall_ft_id, "call": call.fcall_id}})
    raise WaitForSubchats([sub])


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    seen.clear()
    handlers = {"count": count, "loose": count, "sleeps": sleeps, "stubborn": stubborn, "asks": asks}
    platform = Platform(tmp_path, [STRICT, LOOSE, *OTHERS], **handlers)
    platform.loop.start()
    yield platform
    await platform.close()


def raw(name: Any, arguments: Any) -> dict[str, Any]:
    return {
        "content": None,
        "tool_calls": [{"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}],
    }


class TestArguments:
    @pytest.mark.parametrize(
        ("name", "arguments", "told"),
        [
            ("count", "{not json", "are not valid JSON"),
            ("count", "[1]", "must be a JSON object, not an array"),
            ("count", "7", "must be a JSON object, not a number"),
            ("count", '{"what": "x", "times": "many"}', "times: 'many' is not of type 'integer'"),
            ("count", '{"what": "x"}', "'times' is a required property"),
            ("count", '{"what": "x", "times": 1, "more": 2}', "more"),
            ("loose", '{"n": "x"}', "n: 'x' is not of type 'integer'"),
            ("nothing_like_it", "{}", "nothing_like_it has no handler in this bot"),
            (7, "{}", "(malformed) has no handler"),
        ],
        ids=["no-json", "array", "number", "type", "missing", "too-much", "loose-type", "unknown", "malformed"],
    )
    async def test_the_model_is_told_what_is_wrong(
        self, platform: Platform, name: Any, arguments: str, told: str
    ) -> None:
        platform.answers = [raw(name, arguments), says("sorry")]
        await platform.say("hi")
        assert told in platform.messages()[2][1]
        assert seen == []
        assert platform.messages()[-1] == ("assistant", "sorry")

    @pytest.mark.parametrize(
        ("name", "arguments"), [("count", {"what": "x", "times": 2}), ("loose", '{"other": 1}'), ("loose", None)]
    )
    async def test_what_fits_reaches_the_handler(self, platform: Platform, name: str, arguments: Any) -> None:
        platform.answers = [raw(name, arguments), says("ok")]
        await platform.say("hi")
        assert len(seen) == 1


class TestAnswers:
    @pytest.mark.parametrize(
        "answer",
        [{"choices": []}, {"choices": [{}]}, {"choices": "x"}, {"malformed": True}, {"choices": [{"message": "text"}]}],
        ids=["empty", "no-message", "no-list", "no-choices", "no-object"],
    )
    async def test_one_that_is_none_fails_the_turn_and_the_next_message_tries_again(
        self, platform: Platform, answer: dict[str, Any]
    ) -> None:
        platform.answers = [answer, says("better")]
        await platform.say("hi")
        assert platform.thread()["ft_error"]["code"] == "bad_answer"
        await platform.say("again")
        assert platform.thread()["ft_error"] is None
        assert platform.messages()[-1] == ("assistant", "better")

    @pytest.mark.parametrize("code", ["model_timeout", "provider_unavailable", "provider_broke", "model_busy"])
    async def test_time_outs_refusals_and_half_answers_are_told_by_their_code(
        self, platform: Platform, code: str
    ) -> None:
        platform.answers = [ModelFailed("it did not work", code), says("better")]
        await platform.say("hi")
        assert platform.thread()["ft_error"] == {"code": code, "message": "it did not work"}
        assert platform.thread()["ft_need_assistant"] > 0
        await platform.say("again")
        assert platform.messages()[-1] == ("assistant", "better")

    async def test_more_calls_than_allowed_are_dropped(self, platform: Platform) -> None:
        platform.answers = [calls(*[("loose", {"n": 1})] * (MAX_CALLS + 8)), says("ok")]
        await platform.say("hi")
        assert len(seen) == MAX_CALLS


class TestHandlersThatTakeTooLong:
    @pytest.mark.parametrize("name", ["sleeps", "stubborn"])
    async def test_are_stopped_and_the_model_is_told(self, platform: Platform, name: str) -> None:
        platform.turns = ThreadTurns(
            platform.installation, [*OTHERS, LOOSE], platform._model, tool_seconds=0.3
        )  # fmt: skip
        platform.answers = [calls((name, {})), calls(("loose", {})), says("ok")]
        await platform.say("hi")
        assert "did not answer within 0.3 s" in platform.messages()[2][1]
        assert platform.messages()[-1] == ("assistant", "ok")


class TestASubchatThatNeverEnds:
    async def test_is_given_up_after_its_time(self, platform: Platform) -> None:
        platform.answers = [calls(("asks", {})), says("without it")]
        outcome = await platform.say("hi")
        (timer,) = [event for event in outcome.events if event.due_ms]
        assert platform.thread()["ft_need_tool_calls"] > 0
        await platform.run(timer.payload)
        assert platform.messages()[2][1] == "The subchat did not end in time."
        assert platform.messages()[-1] == ("assistant", "without it")

    async def test_its_timer_changes_nothing_once_it_ended(self, platform: Platform) -> None:
        platform.answers = [calls(("asks", {})), says("the result"), says("thanks")]
        outcome = await platform.say("hi")
        (timer,) = [event for event in outcome.events if event.due_ms]
        platform.events = [event for event in platform.events if not event.due_ms]
        await platform.deliver()
        before = platform.messages()
        await platform.run(timer.payload)
        assert platform.messages() == before
        assert platform.outputs[-1].type == "thread.ignored"


class TestALongThread:
    async def test_its_beginning_is_summed_up_for_the_model(self, platform: Platform) -> None:
        for number in range(LONG):
            platform.answers = [says(f"answer {number}")]
            await platform.say(f"question {number}")
        assert len(platform.summed) >= 2
        assert "question 0" in platform.summed[0]
        assert "Summary of what came before:\nsummary 1" in platform.summed[1]
        last = platform.asked[-1]["messages"]
        assert last[1]["content"].endswith(f"summary {len(platform.summed)}")
        assert len(last) <= LONG + 2
        assert len(platform.messages()) == 2 * LONG
        assert any(output.type == "thread.compacted" for output in platform.outputs)

    async def test_long_messages_make_it_long_sooner(self, platform: Platform) -> None:
        for number in range(KEPT):
            platform.answers = [says("x" * 20_000)]
            await platform.say(f"question {number}")
        assert platform.summed
        sent = sum(len(str(message["content"])) for message in platform.asked[-1]["messages"])
        assert sent < 260_000

    async def talk(self, platform: Platform, messages: int) -> None:
        for number in range(messages):
            platform.answers = [says("ok")]
            await platform.say(f"question {number}")

    async def test_it_goes_on_where_the_model_cannot_sum_up(self, platform: Platform) -> None:
        platform.cannot_sum_up = "provider_refused"
        await self.talk(platform, LONG // 2 + 2)
        assert platform.thread()["ft_error"] is None
        assert len(platform.asked[-1]["messages"]) <= LONG

    async def test_it_is_summed_up_later_where_the_model_cannot_be_reached_now(self, platform: Platform) -> None:
        platform.cannot_sum_up = "circuit_open"
        await self.talk(platform, LONG // 2 + 2)
        assert len(platform.asked[-1]["messages"]) > LONG
        platform.cannot_sum_up = ""
        platform.answers = [says("ok")]
        await platform.say("and now")
        assert "question 0" in platform.summed[-1]
        assert len(platform.asked[-1]["messages"]) < LONG

    async def test_it_does_not_grow_for_ever_where_the_model_stays_away(self, platform: Platform) -> None:
        platform.cannot_sum_up = "provider_unavailable"
        await self.talk(platform, LONG + 2)
        assert len(platform.asked[-1]["messages"]) <= LONG

    async def test_a_turn_that_runs_again_asks_the_same_though_the_model_is_back(self, platform: Platform) -> None:
        await self.talk(platform, LONG // 2)
        platform.cannot_sum_up = "provider_unavailable"
        platform.answers = [says("late")]
        await platform.say("the last one", commit=False, event="again")
        asked = len(platform.asked)
        platform.cannot_sum_up = ""
        await platform.say("the last one", event="again")
        # What was kept of the first run is told again, to the same question.
        assert (len(platform.asked), platform.messages()[-1]) == (asked, ("assistant", "late"))

    async def test_a_turn_that_runs_again_sums_up_once(self, platform: Platform) -> None:
        for number in range(LONG // 2):
            platform.answers = [says("ok")]
            await platform.say(f"question {number}")
        assert platform.summed == []
        platform.answers = [says("late")]
        await platform.say("the last one", commit=False, event="again")
        await platform.say("the last one", event="again")
        assert len(platform.summed) == 1
        assert platform.messages()[-1] == ("assistant", "late")


async def test_titles_and_archives_change_by_events(platform: Platform) -> None:
    platform.answers = [says("ok")]
    await platform.say("A question about bicycles")
    assert platform.thread()["ft_title"] == "A question about bicycles"
    await platform.run({"action": "thread.title", "title": "Bicycles"})
    await platform.run({"action": "thread.archive"})
    assert platform.thread()["ft_title"] == "Bicycles"
    assert platform.thread()["ft_archived_ts"] > 0
    await platform.say("into the archive")
    assert platform.messages()[-1][0] == "user"
    platform.answers = [says("back")]
    await platform.run({"action": "thread.archive", "archived": False})
    assert platform.messages()[-1] == ("assistant", "back")
