"""`botyard approvals` against a gateway."""

import json

import pytest

from botyard.contract.routes import Route, Routes
from tests.integration.cli.conftest import Botyard
from tests.integration.gateway.system import ROUTES, System
from tests.integration.gateway.test_personas import records

CALL = {
    "call": "t1.2.0",
    "tool": "write",
    "arguments": "{}",
    "command": "write to Ada",
    "explanation": "It is for good.",
}


@pytest.fixture(autouse=True)
async def _a_call_waits(system: System) -> None:
    echo = Route(**{**ROUTES.routes[0].model_dump(), "model": "loop", "personas": ("nora",)})
    system.gateway.table.replace(Routes(routes=(echo, *ROUTES.routes[1:])))
    thread = {"ft_id": "t1", "ft_title": "A letter", "owner_fuser_id": "", "ft_confirmations": [CALL]}
    await records(system, ":nora", {"thread/t1": thread, "thread/t2": {"ft_id": "t2", "owner_fuser_id": ""}})


async def test_what_waits_is_a_table(botyard: Botyard) -> None:
    ran = await botyard("approvals", "list", "shop/echo", "nora", user="ann")
    header, row = ran.out.splitlines()
    assert header.split() == ["CALL", "TOOL", "COMMAND", "WHY"]
    assert row.split()[:2] == ["t1.2.0", "write"]
    ran = await botyard("approvals", "list", "shop/echo", "nora", "-o", "json", user="ann")
    assert json.loads(ran.out)[0]["thread"] == "t1"


async def test_a_call_is_allowed_or_rejected_with_a_reason(system: System, botyard: Botyard) -> None:
    ran = await botyard("approvals", "allow", "shop/echo", "nora", "t1.2.0", user="ann")
    assert (ran.code, ran.out) == (0, "t1.2.0 is allowed\n")
    await botyard("approvals", "reject", "shop/echo", "nora", "t1.2.0", "--reason", "too early", user="ann")
    decided = [json.loads(entry.payload)["calls"][0] for entry in await system.waiting()]
    assert [(call["allow"], call["reason"]) for call in decided] == [(True, ""), (False, "too early")]


async def test_what_cannot_be_decided_is_told(botyard: Botyard) -> None:
    ran = await botyard("approvals", "allow", "shop/echo", "nora", "nonsense", user="ann")
    assert ran.code == 1
    assert "nonsense" in ran.err


async def test_a_decision_on_a_call_that_waits_no_longer_is_refused(system: System, botyard: Botyard) -> None:
    ran = await botyard("approvals", "allow", "shop/echo", "nora", "t2.4.0", user="ann")
    assert ran.code == 1
    assert "no call t2.4.0 waits for a person" in ran.err
    assert await system.waiting() == []
