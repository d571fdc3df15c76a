"""Threads: user, model and tools in turn; what waits, what fails, what is never done twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from botyard.loop import effects
from botyard.loop.context import current
from botyard.loop.errors import NeedsConfirmation, WaitForSubchats
from botyard.loop.thread_turns import MAX_ROUNDS
from botyard.loop.tools import CloudTool, FCloudtoolCall
from flexus_client_kit.ckit_external_auth import get_fuser_id_from_rcx
from tests.unit.loop.platform import ModelFailed, Platform, calls, says


def tool(name: str) -> CloudTool:
    return CloudTool(strict=False, name=name, description=name, parameters={"type": "object", "properties": {}})


TOOLS = [tool(name) for name in ("look", "write", "ask_others", "who", "missing")]
done: list[tuple[str, dict[str, Any], bool]] = []


async def look(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    done.append((call.fcall_name, args, call.confirmed_by_human))
    return f"saw {args['what']}"


async def write(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    if not call.confirmed_by_human:
        raise NeedsConfirmation(
            confirm_setup_key="", confirm_command=f"write {args['text']}", confirm_explanation="It writes."
        )
    done.append((call.fcall_name, args, call.confirmed_by_human))
    return "written"


async def ask_others(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    caused = effects.current()
    assert caused is not None
    ids = []
    for question in args["questions"]:
        ids.append(caused.new_id("sub"))
        parent = {"thread": call.fcall_ft_id, "call": call.fcall_id}
        started = {"action": "thread.start", "messages": [{"role": "user", "content": question}], "parent": parent}
        caused.add(f"nora~{ids[-1]}", started)
    raise WaitForSubchats(ids)


async def who(call: FCloudtoolCall, args: dict[str, Any]) -> str:
    return f"{call.caller_fuser_id} in {call.ws_id}, call {call.fcall_call_n} of message {call.fcall_called_ftm_num}"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    done.clear()
    platform = Platform(tmp_path, TOOLS, look=look, write=write, ask_others=ask_others, who=who)
    platform.loop.start()
    yield platform
    await platform.close()


async def test_a_message_is_answered(platform: Platform) -> None:
    platform.answers = [says("Hello Ada")]
    await platform.say("Hello\nsecond line")
    assert platform.messages() == [("user", "Hello\nsecond line"), ("assistant", "Hello Ada")]
    assert platform.asked[0]["messages"] == [
        {"role": "system", "content": "You are Nora."},
        {"role": "user", "content": "Hello\nsecond line"},
    ]
    thread = platform.thread()
    assert (thread["ft_title"], thread["ft_need_user"], thread["ft_need_assistant"]) == ("Hello", 100, -1)


async def test_the_handler_of_a_call_finds_the_thread_also_in_its_first_turn(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def look(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        known = current().latest_threads[call.fcall_ft_id]
        roles = [message.ftm_role for message in known.thread_messages.values()]
        seen.append((known.ft_title, get_fuser_id_from_rcx(current(), call.fcall_ft_id), roles))
        return "blue"

    platform = Platform(tmp_path, [tool("look")], look=look)
    platform.loop.start()
    platform.answers = [calls(("look", {"what": "sky"})), says("It is blue.")]
    await platform.say("look up")
    await platform.close()
    assert seen == [("look up", "ada", ["user", "assistant"])]


async def test_the_next_message_comes_with_what_was_said_before(platform: Platform) -> None:
    platform.answers = [says("one"), says("two")]
    await platform.say("1")
    await platform.say("2")
    assert [message["content"] for message in platform.asked[1]["messages"]] == ["You are Nora.", "1", "one", "2"]


async def test_tools_are_called_and_their_results_go_to_the_model(platform: Platform) -> None:
    platform.answers = [calls(("look", {"what": "a"}), ("look", {"what": "b"})), says("Both.")]
    await platform.say("look")
    assert [entry[1]["what"] for entry in done] == ["a", "b"]
    assert platform.messages()[2:] == [("tool", "saw a"), ("tool", "saw b"), ("assistant", "Both.")]
    sent = platform.asked[1]["messages"]
    ids = [call["id"] for call in sent[-3]["tool_calls"]]
    assert [message["tool_call_id"] for message in sent[-2:]] == ids == ["t1.2.0", "t1.2.1"]


@pytest.mark.parametrize(
    ("called", "told"),
    [
        (("unknown", {}), "unknown has no handler"),
        (("missing", {}), "missing has no handler"),
        (("look", "{"), "not valid JSON"),
        (("look", "[1]"), "not an array"),
        (("look", {}), "Tool error, see logs for details"),
    ],
    ids=["unknown tool", "tool without handler", "broken JSON", "an array", "handler that raises"],
)
async def test_a_call_that_cannot_be_made_is_answered_at_once(
    platform: Platform, called: tuple[str, Any], told: str
) -> None:
    platform.answers = [calls(called), says("I see.")]
    await platform.say("go")
    assert told in platform.messages()[2][1]
    assert platform.messages()[3] == ("assistant", "I see.")


async def test_a_turn_that_runs_again_neither_asks_nor_acts_twice(platform: Platform) -> None:
    platform.answers = [calls(("look", {"what": "a"})), says("Seen.")]
    await platform.say("look", commit=False, event="same")
    await platform.say("look", event="same")
    assert len(platform.asked) == 2
    assert len(done) == 1
    assert platform.messages()[-1] == ("assistant", "Seen.")


async def test_a_confirmation_is_asked_for_and_the_call_made_again(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"})), says("Written.")]
    await platform.say("write x")
    asked = [output.data for output in platform.outputs if output.type == "thread.confirmation"]
    assert (asked[0]["call"], asked[0]["command"], asked[0]["explanation"]) == ("t1.2.0", "write x", "It writes.")
    assert (platform.thread()["ft_need_tool_calls"], platform.thread()["ft_need_user"]) == (100, -1)
    assert done == []
    await platform.run({"action": "call.confirm", "call": "t1.2.0", "allow": True})
    assert done == [("write", {"text": "x"}, True)]
    assert platform.messages()[-2:] == [("tool", "written"), ("assistant", "Written.")]


async def test_results_of_subchats_are_told_like_those_of_other_calls(platform: Platform) -> None:
    platform.answers = [calls(("ask_others", {"questions": ["a?"]})), says("A."), says("It is A.")]
    await platform.say("ask")
    await platform.deliver()
    told = [output.data for output in platform.outputs if output.type == "thread.message"]
    assert [data["content"] for data in told if data["role"] == "tool"] == ["A."]
    heard = [event.payload for event in platform.heard if event.payload.get("action") == "thread.updated"]
    assert "A." in [message["ftm_content"] for payload in heard for message in payload["messages"]]


async def test_a_rejection_is_told_with_its_reason(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"})), says("I will not.")]
    await platform.say("write x")
    await platform.run({"action": "call.confirm", "call": "t1.2.0", "allow": False, "reason": "too long"})
    assert done == []
    assert platform.messages()[-2:] == [
        ("tool", "A person rejected this call. Reason: too long"),
        ("assistant", "I will not."),
    ]


async def test_the_model_waits_until_all_calls_of_its_answer_are_decided(platform: Platform) -> None:
    platform.answers = [
        calls(("write", {"text": "x"}), ("look", {"what": "a"}), ("write", {"text": "y"})),
        says("Done."),
    ]
    await platform.say("go")
    await platform.run({"action": "call.confirm", "call": "t1.2.0", "allow": True})
    assert len(platform.asked) == 1
    await platform.run({"action": "call.confirm", "call": "t1.2.2", "allow": True})
    assert platform.messages()[-1] == ("assistant", "Done.")
    assert [entry[0] for entry in done] == ["look", "write", "write"]


async def test_several_calls_can_be_decided_at_once(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"}), ("write", {"text": "y"})), says("Done.")]
    await platform.say("go")
    decided = [{"call": "t1.2.0", "allow": True}, {"call": "t1.2.1", "allow": False}]
    await platform.run({"action": "call.confirm", "calls": decided})
    assert [content for role, content in platform.messages() if role == "tool"] == [
        "written",
        "A person rejected this call.",
    ]


async def test_of_two_decisions_on_one_call_the_first_counts(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"})), says("Not written.")]
    await platform.say("write x")
    decided = [{"call": "t1.2.0", "allow": False}, {"call": "t1.2.0", "allow": True}]
    await platform.run({"action": "call.confirm", "calls": decided})
    assert done == []
    assert platform.messages()[-1] == ("assistant", "Not written.")


async def test_a_confirmation_that_comes_twice_or_for_nothing_changes_nothing(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"})), says("Written.")]
    await platform.say("write x")
    await platform.run({"action": "call.confirm", "call": "t1.2.0", "allow": True})
    before = platform.messages()
    for call in ("t1.2.0", "t1.9.9"):
        outcome = await platform.run({"action": "call.confirm", "call": call, "allow": True})
        assert [output.type for output in outcome.outputs] == ["thread.ignored"]
    assert platform.messages() == before
    assert len(done) == 1


async def test_subchats_bring_the_result_of_the_call_that_waits_for_them(platform: Platform) -> None:
    platform.answers = [calls(("ask_others", {"questions": ["a?", "b?"]})), says("A!"), says("B!"), says("Together.")]
    await platform.say("ask")
    assert platform.thread()["ft_need_tool_calls"] == 100
    await platform.deliver()
    role, content = platform.messages()[2]
    assert role == "tool"
    assert "A!" in content
    assert "B!" in content
    assert platform.messages()[-1] == ("assistant", "Together.")
    said = [(o.data["role"], o.data["call_id"]) for o in platform.outputs if o.type == "thread.message"]
    assert ("tool", "t1.2.0") in said, "clients and the bot's loop are told of the result, too"


async def test_subchats_belong_to_whom_their_thread_belongs_to(platform: Platform) -> None:
    platform.answers = [calls(("ask_others", {"questions": ["a?"]})), says("A!"), says("Together.")]
    await platform.say("ask")
    await platform.deliver()
    owners = [state["thread"]["owner_fuser_id"] for state in platform.states.values() if state]
    assert owners == ["ada", "ada"]


async def test_a_call_that_waits_for_no_subchat_at_all_is_answered_at_once(platform: Platform) -> None:
    platform.answers = [calls(("ask_others", {"questions": []})), says("So be it.")]
    await platform.say("ask")
    assert platform.messages()[2:] == [("tool", "No subchat was begun."), ("assistant", "So be it.")]


async def test_a_thread_may_begin_with_calls(platform: Platform) -> None:
    platform.answers = [says("Blue.")]
    first = [{"name": "look", "arguments": '{"what": "sky"}'}]
    messages = [{"role": "user", "content": "The sky?"}]
    await platform.run({"action": "thread.start", "messages": messages, "calls": first})
    assert platform.messages()[1:] == [("assistant", None), ("tool", "saw sky"), ("assistant", "Blue.")]
    assert platform.asked[0]["messages"][2]["tool_calls"][0]["function"] == first[0]


async def test_a_handler_knows_whose_call_it_is(platform: Platform) -> None:
    platform.answers = [calls(("look", {"what": "x"}), ("who", {})), says("ok")]
    await platform.say("who am I?")
    assert platform.messages()[3][1] == "ada in shop, call 1 of message 2"
    assert (platform.thread()["owner_fuser_id"], platform.thread()["ws_id"]) == ("ada", "shop")


async def test_what_is_said_while_a_person_decides_is_answered_with_the_decision(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"})), says("Done.")]
    await platform.say("write it")
    await platform.say("and hurry")
    assert len(platform.asked) == 1
    await platform.run({"action": "call.confirm", "call": "t1.2.0", "allow": True})
    assert [message["role"] for message in platform.asked[1]["messages"]] == [
        "system", "user", "assistant", "tool", "user",
    ]  # fmt: skip


async def test_a_subchat_that_fails_is_a_result_too(platform: Platform) -> None:
    failure = ModelFailed("no money left", "budget_exceeded")
    platform.answers = [calls(("ask_others", {"questions": ["a?"]})), failure, says("So be it.")]
    await platform.say("ask")
    await platform.deliver()
    assert platform.messages()[2] == ("tool", "The subchat failed: no money left")
    assert platform.messages()[-1] == ("assistant", "So be it.")


async def test_a_model_that_fails_is_told_and_the_next_message_goes_on(platform: Platform) -> None:
    platform.answers = [ModelFailed("no money left", "budget_exceeded"), says("Here I am.")]
    outcome = await platform.say("hello")
    assert [output.data for output in outcome.outputs if output.type == "thread.error"] == [
        {"code": "budget_exceeded", "message": "no money left"}
    ]
    assert platform.thread()["ft_error"]["code"] == "budget_exceeded"
    await platform.say("still there?")
    assert platform.messages()[-1] == ("assistant", "Here I am.")
    assert platform.thread()["ft_error"] is None


async def test_a_model_that_goes_in_circles_is_stopped(platform: Platform) -> None:
    platform.answers = [calls(("look", {"what": "a"})) for _ in range(MAX_ROUNDS)]
    outcome = await platform.say("go")
    assert [output.data["code"] for output in outcome.outputs if output.type == "thread.error"] == ["too_many_rounds"]


async def test_an_expert_calls_only_the_tools_that_it_may(platform: Platform) -> None:
    platform.answers = [calls(("write", {"text": "x"})), says("I may not.")]
    start = {"action": "thread.start", "expert": "reader", "messages": [{"role": "user", "content": "write x"}]}
    await platform.run(start)
    assert [offered["function"]["name"] for offered in platform.asked[0]["tools"]] == ["look"]
    assert platform.asked[0]["messages"][0]["content"] == "You read."
    assert "has no handler" in platform.messages()[2][1]


async def test_the_persona_s_loop_is_told_of_each_turn(platform: Platform) -> None:
    platform.answers = [says("Hello")]
    outcome = await platform.say("Hi")
    [event] = outcome.events
    assert (event.key, event.kind, event.payload["action"]) == (":nora", "action", "thread.updated")
    assert [message["ftm_role"] for message in event.payload["messages"]] == ["user", "assistant"]


async def test_what_a_turn_reads_does_not_grow_with_the_thread(platform: Platform) -> None:
    for number in range(150):
        platform.answers = [says(f"answer {number}")]
        await platform.say(f"message {number}")
    assert len(platform.messages()) == 300
    assert len(platform.asked[-1]["messages"]) <= 201
    assert platform.asked[-1]["messages"][-1]["content"] == "message 149"


async def test_threads_do_not_hold_each_other_up(platform: Platform) -> None:
    platform.answers = [says("x")] * 20
    await asyncio.gather(*(platform.say("hi", thread=f"t{number}") for number in range(20)))
    assert all(len(platform.messages(f"t{number}")) == 2 for number in range(20))


async def test_a_thread_that_is_archived_is_quiet_until_it_is_spoken_to(platform: Platform) -> None:
    platform.answers = [says("x")]
    await platform.say("hi")
    await platform.run({"action": "thread.archive"})
    assert platform.thread()["ft_archived_ts"] > 0
