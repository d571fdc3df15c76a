"""`botyard budget` against a gateway."""

import pytest

from botyard.budget.errors import BudgetExceeded
from tests.integration.budget.terms import call
from tests.integration.cli.conftest import Botyard
from tests.integration.gateway.spending import spending_of
from tests.integration.gateway.system import System


async def test_spending_is_a_table_and_a_request_names_the_command_that_grants(
    system: System, botyard: Botyard
) -> None:
    spending = await spending_of(system, daily=100)
    await spending.spend(1, 10)
    with pytest.raises(BudgetExceeded):
        await spending.meter.reserve(call(2, 120, 20))
    ran = await botyard("budget", "show", "shop/echo")
    header, bot, nora, asked = ran.out.splitlines()
    assert header.split() == ["ACCOUNT", "PERIOD", "SPENT", "RESERVED", "LIMIT", "GRANTED", "REMAINING"]
    assert bot.split()[0] == "bot"
    assert (nora.split()[0], *nora.split()[2:7]) == ("persona:nora", "10", "0", "100", "0", "90")
    command = asked.split("`kubectl botyard ")[1].rstrip("`").split()
    ran = await botyard(*command)
    assert ran.code == 0
    assert ran.out.endswith("may spend 136 coins more\n")
    assert (await spending.meter.reserve(call(2, 120, 20))).coins == 140


async def test_the_history_is_csv(system: System, botyard: Botyard) -> None:
    spending = await spending_of(system, daily=100)
    await spending.spend(1, 10)
    ran = await botyard("budget", "history", "shop/echo", "--persona", "nora", "-o", "csv", user="ann")
    header, row = ran.out.splitlines()
    assert header.startswith("day,account,coins,granted,limit,calls")
    assert row.split(",")[1:6] == ["persona:nora", "10", "0", "100", "1"]
