"""Several gateways with the same channels: one delivers, another goes on where it ended."""

from tests.integration.channels.conftest import serving, until
from tests.integration.channels.receiver import Receiver
from tests.integration.channels.telegram_server import TelegramServer, message
from tests.integration.channels.test_telegram import post, says
from tests.integration.gateway.system import System


async def test_another_process_goes_on_where_one_ended_and_says_nothing_twice(
    system: System, telegram: TelegramServer, receiver: Receiver
) -> None:
    async with serving(system, telegram, receiver):
        await post(system, message(1, "hello"))
        await system.answer(says("one"))
        await until(lambda: telegram.said() == ["one"])
        await post(system, message(2, "again"))
    # Nobody delivers while this is said.
    await system.answer(says("two"))
    async with serving(system, telegram, receiver), serving(system, telegram, receiver):
        await until(lambda: len(telegram.said()) >= 2)
        await post(system, message(3, "again"))
        await system.answer(says("three"))
        await until(lambda: len(telegram.said()) >= 3)
    assert telegram.said() == ["one", "two", "three"]
