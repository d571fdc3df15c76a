"""`botyard dead-letters` against a gateway."""

import json

from tests.integration.cli.conftest import Botyard
from tests.integration.gateway.system import System


async def test_letters_are_listed_with_the_reason(system: System, botyard: Botyard) -> None:
    sent = await system.post("boom")
    await system.give_up()
    (letter,) = await system.letters()
    ran = await botyard("dead-letters", "list", "shop/echo")
    header, row = ran.out.splitlines()
    assert header.split("  ")[0] == "ID"
    assert row.startswith(letter["id"])
    for part in (sent["conversation"], sent["turn"], "workers died 3 times"):
        assert part in row


async def test_machines_read_json(system: System, botyard: Botyard) -> None:
    await system.post("boom")
    await system.give_up()
    ran = await botyard("dead-letters", "list", "-n", "shop", "echo", "-o", "json")
    assert json.loads(ran.out)["letters"] == await system.letters()


async def test_no_letters_are_said_in_words(system: System, botyard: Botyard) -> None:
    assert (await botyard("dead-letters", "list", "shop/echo")).out == "shop/echo has no dead letters\n"


async def test_letters_are_requeued_and_dropped_by_their_ids(system: System, botyard: Botyard) -> None:
    for number in range(3):
        await system.post(conversation=f"c{number}")
        await system.give_up()
    first, second, third = (letter["id"] for letter in await system.letters())
    ran = await botyard("dead-letters", "requeue", "shop/echo", first, second)
    assert (ran.code, ran.out) == (0, f"{first} runs again\n{second} runs again\n")
    ran = await botyard("dead-letters", "drop", "shop/echo", third)
    assert (ran.code, ran.out) == (0, f"{third} is forgotten\n")
    assert await system.letters() == []
    assert {entry.key for entry in await system.waiting()} == {"c0", "c1"}


async def test_a_letter_that_is_not_there_is_told_and_the_others_are_done(system: System, botyard: Botyard) -> None:
    await system.post("boom")
    await system.give_up()
    (letter,) = await system.letters()
    ran = await botyard("dead-letters", "drop", "shop/echo", "0:1-0", letter["id"])
    assert ran.code == 1
    assert "has no dead letter 0:1-0" in ran.err
    assert await system.letters() == []


async def test_what_is_missing_is_told(system: System, botyard: Botyard) -> None:
    ran = await botyard("dead-letters", "list", "shop/echo", user="ann")
    assert (ran.code, ran.out) == (1, "")
    assert "lacks the verb `operate`" in ran.err
    ran = await botyard("dead-letters", "list", "shop/echo", user="unknown")
    assert "BOTYARD_TOKEN" in ran.err
