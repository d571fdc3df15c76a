"""All channels of one process: requests of vendors in, deliveries out."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence

from redis.asyncio import Redis

from botyard.channels.channel import ChannelDriver
from botyard.channels.delivery import Delivery, Pace
from botyard.channels.settings import TelegramChannel, WebhookChannel
from botyard.channels.storage import ChannelStorage
from botyard.channels.telegram import TelegramDriver
from botyard.channels.webhook import WebhookDriver
from botyard.core.address import BotAddress
from botyard.core.conversations import Conversations
from botyard.core.inbox import Accepted, Inbox

PartitionsOf = Callable[[str, str], int | None]
"""Number of partitions of a bot by namespace and name; None where there is no such bot."""


BOT_LOOK_SECONDS = 2.0
"""Between two looks for the bot of a channel."""


class UnknownChannel(Exception):
    """There is no channel of this name, or its bot is not there."""


class ChannelService:
    """The channels of a gateway."""

    def __init__(
        self,
        redis: Redis,
        channels: Sequence[WebhookChannel | TelegramChannel],
        partitions_of: PartitionsOf,
        *,
        pace: Pace | None = None,
    ) -> None:
        """Prepare.

        Args:
            redis: The event store.
            channels: As the file says.
            partitions_of: Finds bots.
            pace: Times of deliveries.
        """
        self._redis = redis
        self._partitions_of = partitions_of
        self._pace = pace
        self._storage = ChannelStorage(redis)
        self._inbox = Inbox(redis)
        self._conversations = Conversations(redis)
        self._owner = secrets.token_hex(8)
        self._drivers: dict[str, ChannelDriver] = {
            channel.name: WebhookDriver(channel)
            if isinstance(channel, WebhookChannel)
            else TelegramDriver(channel, self._storage)
            for channel in channels
        }
        self._deliveries: dict[str, Delivery] = {}

    def bot_of(self, name: str) -> tuple[str, str]:
        """Return namespace and name of the bot of a channel.

        Raises:
            UnknownChannel: There is none of this name.
        """
        if name not in self._drivers:
            raise UnknownChannel(name)
        settings = self._drivers[name].settings
        return settings.namespace, settings.bot_name

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> list[Accepted]:
        """Accept the messages of a request; when this returns, the event store has them.

        Raises:
            UnknownChannel: There is none of this name.
            NotGenuine, Unreadable, DeliveryFailed: See `ChannelDriver.read`.
            Overloaded: Too many events wait for the bot.
        """
        driver = self._drivers.get(name)
        bot = self._bot(driver) if driver is not None else None
        if driver is None or bot is None:
            raise UnknownChannel(name)
        accepted = []
        for message in await driver.read(headers, body):
            place = await self._storage.place(name, message.conversation)
            key = f"{name}.{place}"
            found = await self._conversations.describe(bot, key, turns=1)
            # Followed before it can answer. Where it begins to be followed, what was said before is not delivered.
            await self._storage.follow(name, place, from_number=found.outputs if found else 0)
            accepted.append(
                await self._inbox.accept(
                    bot,
                    key=key,
                    kind="message",
                    payload=message.payload,
                    user=f"{name}:{message.user}",
                    may_act_for_others=True,
                    event_id=f"{key}:{message.id}" if message.id else None,
                )
            )
            if delivery := self._deliveries.get(name):
                delivery.look(place)
        return accepted

    def _bot(self, driver: ChannelDriver) -> BotAddress | None:
        namespace, bot = driver.settings.namespace, driver.settings.bot_name
        partitions = self._partitions_of(namespace, bot)
        return BotAddress(namespace, bot, partitions) if partitions is not None else None

    async def run(self) -> None:
        """Deliver for all channels until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for driver in self._drivers.values():
                    group.create_task(self._run_one(driver))
        finally:
            for driver in self._drivers.values():
                with contextlib.suppress(Exception):
                    await driver.close()

    async def _run_one(self, driver: ChannelDriver) -> None:
        while (bot := self._bot(driver)) is None:  # noqa: ASYNC110 - a channel may be declared long before its bot
            await asyncio.sleep(BOT_LOOK_SECONDS)
        delivery = Delivery(self._redis, bot, driver, owner=self._owner, pace=self._pace)
        self._deliveries[driver.settings.name] = delivery
        await delivery.run()
