"""`botyard turns` against a gateway."""

from tests.integration.cli.conftest import Botyard
from tests.integration.gateway.system import System


async def test_a_waiting_turn_is_cancelled_once(system: System, botyard: Botyard) -> None:
    sent = await system.post()
    ran = await botyard("turns", "cancel", "echo", sent["conversation"], sent["turn"], user="ann")
    assert (ran.code, ran.out) == (0, f"asked for {sent['turn']} to be cancelled\n")
    await system.answer()
    ran = await botyard("turns", "cancel", "echo", sent["conversation"], sent["turn"], user="ann")
    assert ran.code == 1
    assert "ended already" in ran.err
