"""Experts' kernels on a real replica: in its restricted worker, beside other threads, also where one misbehaves."""

from pathlib import Path
from typing import Any

import pytest

from botyard.contract.persona import PersonaConfig
from tests.integration.loop.test_threads import CODE, SCRIPTED, THREAD, messages
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

KERNEL = """
m = messages[-1]
if m["role"] == "assistant" and "DONE" not in str(m["content"]):
    post_cd_instruction = "Say DONE."
if coins > 100000:
    error = "too dear"
"""
ENDLESS = """
for i in range(1000000000):
    for j in range(1000000000):
        x = j
"""
SCRIPT = """
rules:
- when: {contains: "Say DONE."}
  reply: {text: "DONE"}
- reply: {text: "you said {last}"}
"""


def with_kernel(make_bot: MakeBot, folder: Path, kernel: str) -> Bot:
    """A bot whose default expert has a kernel; the expert `plain` has none."""
    expert = 'FMarketplaceExpertInput(fexp_system_prompt="You are Nora."'
    code = CODE.replace(f'[("default", {expert}))]', f'[("default", {expert}, fexp_python_kernel={kernel!r}))]')
    assert code != CODE
    return make_bot(
        code=code.replace("WORKDIR", str(folder)),
        programming_model="loop",
        personas=(PersonaConfig(name="nora"),),
        model=SCRIPTED,
        files={"config/script.yaml": SCRIPT},
    )


async def test_a_kernel_has_the_model_answer_once_more(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = with_kernel(make_bot, tmp_path, KERNEL)
    await bot.start()
    await bot.say("hello", THREAD)
    await bot.finished(1, THREAD)
    assert await messages(bot) == [
        ("user", "hello"),
        ("assistant", "you said hello"),
        ("cd_instruction", "Say DONE."),
        ("assistant", "DONE"),
    ]


@pytest.mark.parametrize(
    ("kernel", "said"),
    [(ENDLESS, "the kernel took more than"), ("x = [0]\nfor i in range(60):\n    x = x + x\n", "too much memory")],
    ids=["endless", "memory"],
)
async def test_one_that_misbehaves_ends_its_turn_and_nothing_else(
    make_bot: MakeBot, tmp_path: Path, kernel: str, said: str
) -> None:
    bot = with_kernel(make_bot, tmp_path, kernel)
    [replica] = await bot.start()
    workers = replica.workers()
    await bot.say("hello", THREAD)
    await bot.finished(1, THREAD)
    errors: list[dict[str, Any]] = [e["data"] for e in await bot.heard(THREAD) if e["type"] == "thread.error"]
    assert [error["code"] for error in errors] == ["kernel_failed"]
    assert said in errors[0]["message"] or "steps" in errors[0]["message"]
    assert replica.workers()[: len(workers)] == workers
