"""Experts' kernels: what they see and say, and what becomes of those that never end, eat memory or are no Starlark."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botyard.loop.errors import NeedsConfirmation
from botyard.loop.install import FMarketplaceExpertInput
from botyard.loop.kernels import KernelFailed, Kernels, problem_of
from botyard.loop.threads import FThreadMessageOutput
from botyard.loop.tools import CloudTool
from tests.unit.loop.platform import Platform, calls, says

MESSAGES = [
    FThreadMessageOutput("t", 1, "user", "How is it?"),
    FThreadMessageOutput("t", 2, "assistant", "RATED: 7", ftm_tool_calls=None),
]


@pytest.fixture
async def kernels() -> AsyncIterator[Kernels]:
    kernels = Kernels(seconds=60)
    yield kernels
    await kernels.close()


class TestWhatAKernelSays:
    async def test_nothing_if_it_sets_nothing(self, kernels: Kernels) -> None:
        assert (await kernels.run("x = 1", MESSAGES, coins=0, budget=0)).subchat_result is None

    async def test_it_reads_messages_coins_and_budget(self, kernels: Kernels) -> None:
        source = """
msg = messages[-1]
print("sees %d messages" % len(messages))
if msg["role"] == "assistant" and not msg["tool_calls"] and "RATED" in str(msg["content"]):
    subchat_result = msg["content"]
if coins > budget * 0.5:
    post_cd_instruction = "Come to an end: {} of {} coins are spent.".format(coins, budget)
    kill_tools = True
"""
        result = await kernels.run(source, MESSAGES, coins=60, budget=100)
        assert result.subchat_result == "RATED: 7"
        assert result.post_cd_instruction == "Come to an end: 60 of 100 coins are spent."
        assert result.kill_tools

    async def test_words_are_looked_for_in_answers_that_only_call_tools(self, kernels: Kernels) -> None:
        answer = FThreadMessageOutput("t", 1, "assistant", None, [{"id": "c"}])
        source = 'kill_tools = "DONE" not in messages[-1]["content"]'
        assert (await kernels.run(source, [answer], coins=0, budget=0)).kill_tools

    async def test_functions_loops_and_comprehensions_work(self, kernels: Kernels) -> None:
        source = """
def users():
    return [m["content"] for m in messages if m["role"] == "user"]
for text in users():
    error = f"said: {text}"
"""
        assert (await kernels.run(source, MESSAGES, coins=0, budget=0)).error == "said: How is it?"


ENDLESS = """
for i in range(1000000000):
    for j in range(1000000000):
        y = j
"""


class TestAKernelThatMisbehaves:
    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("while True:\n    pass", "reserved keyword"),
            ("for i in range(1000000000):\n    y = i", "more than 10000000 steps"),
            ("def f(n):\n    return f(n + 1)\nf(0)", "kernel:2"),
            ("y = messages[9]", "out of bound"),
            ("load('os.bzl', 'x')", "kernel"),
            ("open('/etc/passwd')", "not found"),
            ("l = [0]\nfor i in range(60):\n    l = l + l", "memory"),
            ("x = 1" + " " * 70_000, "characters"),
        ],
        ids=["no-while", "endless", "deep", "fails", "imports", "files", "memory", "size"],
    )
    async def test_fails_and_the_next_one_runs(self, kernels: Kernels, source: str, said: str) -> None:
        with pytest.raises(KernelFailed) as failed:
            await kernels.run(source, MESSAGES, coins=0, budget=0)
        assert said in str(failed.value)
        assert (await kernels.run("error = 'x'", MESSAGES, coins=0, budget=0)).error == "x"

    async def test_one_that_takes_too_long_is_killed(self) -> None:
        kernels = Kernels(seconds=0.5, steps=10**15)
        with pytest.raises(KernelFailed, match=r"more than 0\.5 s"):
            await kernels.run(ENDLESS, MESSAGES, coins=0, budget=0)
        assert kernels._child is None

    def test_its_text_is_checked_without_running_it(self) -> None:
        assert problem_of("for i in range(10):\n    x = i") == ""
        assert "kernel:1" in problem_of("x = = 1")

    async def test_it_sees_none_of_the_bots_secrets(self, kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PAYMENT_KEY", "s3cret")
        await kernels.run("x = 1", MESSAGES, coins=0, budget=0)
        assert kernels._child is not None
        environment = Path(f"/proc/{kernels._child.pid}/environ").read_bytes()
        assert b"s3cret" not in environment


LOOK = CloudTool(strict=False, name="look", description="", parameters={"type": "object", "properties": {}})


async def look(call, args):  # type: ignore[no-untyped-def]
    if args.get("ask"):
        raise NeedsConfirmation(confirm_command="x")
    return "seen"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    platform = Platform(tmp_path, [LOOK], look=look)
    platform.loop.start()
    yield platform
    await platform.close()


def kernel(platform: Platform, source: str) -> None:
    expert = FMarketplaceExpertInput(fexp_system_prompt="You are Nora.", fexp_python_kernel=source)
    platform.installation.experts["default"] = expert


class TestAThreadWithAKernel:
    async def test_an_instruction_has_the_model_answer_once_more(self, platform: Platform) -> None:
        kernel(
            platform,
            "m = messages[-1]\nif m['role'] == 'assistant' and 'DONE' not in m['content']:\n"
            "    post_cd_instruction = 'Say DONE.'",
        )
        platform.answers = [says("well"), says("DONE")]
        await platform.say("hi")
        assert platform.messages() == [
            ("user", "hi"), ("assistant", "well"), ("cd_instruction", "Say DONE."), ("assistant", "DONE"),
        ]  # fmt: skip

    async def test_an_error_ends_the_turn(self, platform: Platform) -> None:
        kernel(platform, "if coins > 1:\n    error = 'too dear'")
        platform.answers = [calls(("look", {})), says("never")]
        await platform.say("hi")
        assert platform.thread()["ft_error"] == {"code": "kernel", "message": "too dear"}
        assert platform.thread()["ft_coins"] == 2

    async def test_one_that_fails_is_told(self, platform: Platform) -> None:
        kernel(platform, "x = 1 / 0")
        await platform.say("hi")
        assert platform.thread()["ft_error"]["code"] == "kernel_failed"
        assert platform.asked == []

    async def test_tools_that_it_kills_are_neither_offered_nor_called(self, platform: Platform) -> None:
        kernel(platform, "kill_tools = len(messages) > 1")
        platform.answers = [calls(("look", {})), says("then without")]
        await platform.say("hi")
        assert [role for role, _ in platform.messages()] == ["user", "assistant", "tool", "assistant"]
        assert "stopped it" in platform.messages()[2][1]
        assert "tools" in platform.asked[0]
        assert "tools" not in platform.asked[1]

    async def test_its_subchat_result_ends_the_subchat(self, platform: Platform) -> None:
        kernel(
            platform,
            "if messages[-1]['role'] == 'assistant':\n    subchat_result = 'short: ' + messages[-1]['content']",
        )
        platform.answers = [says("a long answer")]
        start = {"action": "thread.start", "messages": [{"role": "user", "content": "q"}]}
        await platform.run(start | {"parent": {"thread": "t1", "call": "t1.2.0"}}, thread="sub")
        results = [event.payload for event in platform.events if event.payload.get("action") == "subchat.result"]
        assert [result["content"] for result in results] == ["short: a long answer"]
