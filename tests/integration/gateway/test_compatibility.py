"""Which sessions a revision cannot go on with, asked before it runs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from botyard.cli.main import main
from botyard.core import codec, keys
from botyard.core.address import BotAddress
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem

PATH = f"{BASE}/compatibility"
MACHINE = {"states": ["zero", "ask"], "variables": {"properties": {"n": {"type": "integer"}}}}
BOT = """
from botyard.fsm import AbstractFSM, Status


class Ask(AbstractFSM):
    states = ["zero", "ask"]
    transitions = [
        {"source": "zero", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "ask", "trigger": "next"},
    ]

    def on_enter_ask(self):
        self.status = Status.WAIT_FOR_USER_INPUT
"""


async def store(system: System, conversation: str, state: Mapping[str, Any], bot: BotAddress = ECHO) -> None:
    partition = bot.partition(conversation)
    await system.redis.set(keys.state(partition, conversation), codec.encode(state))


def session(state: str, **variables: Any) -> dict[str, Any]:
    return {"main": {"state": state, "status": 1, "variables": variables}, "plugins": {}}


async def ask(system: System, machine: Mapping[str, Any], user: str = "keeper") -> Any:
    return await system.http.post(PATH, json={"machine": machine, "findings": []}, headers=bearer(user))


async def test_sessions_are_counted_by_what_does_not_fit(system: System) -> None:
    for number in range(7):
        await store(system, f"paid{number}", session("paid"))
    await store(system, "typed", session("ask", n="x"))
    await store(system, "fine", session("ask", n=3))
    await store(system, "other", session("paid"), BotAddress("bank", "vault", 4))
    answer = (await ask(system, MACHINE)).json()
    assert (answer["sessions"], answer["incompatible"]) == (9, 8)
    state, variable = answer["causes"]
    assert (state["kind"], state["subject"], state["sessions"], len(state["examples"])) == ("StateGone", "paid", 7, 5)
    assert (variable["kind"], variable["subject"], variable["examples"]) == ("VariableInvalid", "n", ["typed"])


async def test_a_bot_without_sessions_fits_everything(system: System) -> None:
    assert (await ask(system, MACHINE)).json() == {"sessions": 0, "incompatible": 0, "causes": []}


async def test_a_stored_state_that_cannot_be_read_counts(system: System) -> None:
    await system.redis.set(keys.state(ECHO.partition("c"), "c"), b"?damaged")
    answer = (await ask(system, MACHINE)).json()
    assert [cause["kind"] for cause in answer["causes"]] == ["NotASession"]


async def test_only_who_may_operate_the_bot_may_ask(system: System) -> None:
    problem(await ask(system, MACHINE, "ann"), 403, "forbidden")


@pytest.mark.parametrize(
    "machine", [{"states": "all"}, {"variables": {"properties": 3}}, {"nested": {"p": {"variables": {"type": 1}}}}]
)
async def test_a_manifest_that_is_none_is_refused_by_field(system: System, machine: dict[str, Any]) -> None:
    problem(await ask(system, machine), 422, "invalid-body")


async def test_the_command_asks_for_a_folder_of_code(system: System, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "bot.py").write_text(BOT)
    command = ["compatibility", str(tmp_path / "code"), "shop/echo", "--url", system.url, "--token", "token-of-keeper"]
    assert await asyncio.to_thread(main, command) == 0
    assert "0 of 0 sessions" in capsys.readouterr().out
    await store(system, "c1", session("paid"))
    assert await asyncio.to_thread(main, command) == 1
    said = capsys.readouterr().out
    assert [word for word in ("1 of 1 sessions", "StateGone", "paid", "c1") if word not in said] == []
