"""What is said to a bot's replicas while they run."""

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.reply import text
from botyard.core.scripts import Scripts

REBALANCE = b"rebalance"
CANCEL = b"cancel "
"""Followed by the turn's id."""
LOOK = b"look"
"""What is parked may have what it waits for: look at it again."""
RESUME = b"resume "
"""Followed by the key whose parked turn may go on."""


class Cancellations:
    """Asks for turns to be cancelled."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def request(self, bot: BotAddress, conversation: str, turn: str) -> bool:
        """Ask for a turn that waits or runs to be cancelled; False when it is not open (any more).

        The turn ends with an error `TurnCancelled` and keeps nothing of its state. A turn that commits before the
        request reaches it stays committed. Nothing else of the conversation is touched; turns that wait behind it run.
        """
        return bool(turn and await self._cancel(bot, conversation, turn))

    async def asked(self, bot: BotAddress, conversation: str, turn: str) -> bool:
        """Return whether somebody asked for a turn to be cancelled that has not begun."""
        about = keys.conversation(bot.partition(conversation), conversation)
        return bool(await self._redis.hexists(about, f"cancel:{turn}"))

    async def interrupt(self, bot: BotAddress, conversation: str) -> tuple[str, ...]:
        """Cancel whatever of a conversation runs, waits or is parked; return those turns.

        What is accepted from now on is run.
        """
        return await self._cancel(bot, conversation, "")

    async def _cancel(self, bot: BotAddress, conversation: str, turn: str) -> tuple[str, ...]:
        partition = bot.partition(conversation)
        noted = await self._scripts.run(
            "cancel",
            keys=[
                keys.open_turns(partition, conversation),
                keys.conversation(partition, conversation),
                keys.parked(partition),
            ],
            args=[conversation, turn],
        )
        turns = tuple(text(each) for each in noted)
        for each in turns:
            await self._redis.publish(keys.control(bot), CANCEL + each.encode())
        if turns:
            await self._redis.publish(keys.control(bot), RESUME + conversation.encode())
        return turns
