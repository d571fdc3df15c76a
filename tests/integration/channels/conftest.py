"""A gateway with channels on a real Redis, and the other sides of these channels."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from botyard.channels.delivery import Pace
from botyard.channels.service import ChannelService
from botyard.channels.settings import Language, TelegramChannel, WebhookChannel
from tests.integration.channels.receiver import Receiver, running_receiver
from tests.integration.channels.telegram_server import TOKEN, TelegramServer, running_telegram
from tests.integration.gateway.system import System, running_system

SECRET = "0123456789abcdef0123"
# A lease that no load of the machine lets run out: what takes over is a service that starts after one has ended.
PACE = Pace(lease_ms=60_000, first_wait=0.05, most_wait=0.2)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with running_telegram() as server:
        yield server


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as server:
        yield server


@pytest.fixture
async def system(redis_client: Redis, tmp_path: Path) -> AsyncIterator[System]:
    async with running_system(redis_client, tmp_path) as running:
        yield running


def channels(telegram: TelegramServer, receiver: Receiver) -> tuple[TelegramChannel, WebhookChannel]:
    return (
        TelegramChannel.model_validate(
            {
                "name": "chat",
                "bot": "shop/echo",
                "type": "telegram",
                "token": TOKEN,
                "secret": SECRET,
                "api": telegram.url,
                "publicUrl": "https://bots.test",
                "forms": {"f1": "https://forms.test/1"},
                "languages": [Language(code="en", title="English")],
                "maxFileBytes": 1_000,
            }
        ),
        WebhookChannel(name="crm", bot="shop/echo", type="webhook", url=f"{receiver.url}/in", secret=SECRET),
    )


@contextlib.asynccontextmanager
async def serving(system: System, telegram: TelegramServer, receiver: Receiver) -> AsyncIterator[ChannelService]:
    """Run the channels of one gateway process."""
    service = ChannelService(system.redis, channels(telegram, receiver), lambda namespace, bot: 4, pace=PACE)
    system.gateway.channels = service
    task = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def service(system: System, telegram: TelegramServer, receiver: Receiver) -> AsyncIterator[ChannelService]:
    async with serving(system, telegram, receiver) as running:
        yield running


async def until(check: Callable[[], bool]) -> None:
    """Wait until `check` holds."""
    async with asyncio.timeout(90):
        while not check():
            await asyncio.sleep(0.02)
