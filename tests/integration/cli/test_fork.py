"""`botyard fork` and `botyard turns interrupt` against a gateway."""

from tests.integration.cli.conftest import Botyard
from tests.integration.gateway.system import System


async def test_a_fork_is_named(system: System, botyard: Botyard) -> None:
    conversation = await system.conversation("hello")
    ran = await botyard("fork", "shop/echo", conversation, user="ann")
    assert ran.code == 0
    assert ran.out.startswith("conv_")
    ran = await botyard("fork", "shop/echo", conversation, "--after", "turn_none", user="ann")
    assert ran.code == 1
    assert "can be forked after these turns" in ran.err


async def test_an_interrupt_says_how_much_it_ends(system: System, botyard: Botyard) -> None:
    conversation = (await system.post())["conversation"]
    ran = await botyard("turns", "interrupt", "shop/echo", conversation, user="ann")
    assert (ran.code, ran.out) == (0, "asked for 1 turns to be cancelled\n")
