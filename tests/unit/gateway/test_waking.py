"""Marks are few: one a second for each bot, whatever is accepted."""

from redis.exceptions import ConnectionError as RedisConnectionError

from botyard.contract.routes import Route
from botyard.core.address import BotAddress
from botyard.gateway.waking import INTERVAL_SECONDS, Waker

NIGHT = Route(namespace="shop", name="night", wakes=True)


class Marks:
    """Counts marks, or fails as a Redis that went away."""

    def __init__(self, *, fails: bool = False) -> None:
        self.bots: list[str] = []
        self._fails = fails

    async def mark(self, bot: BotAddress) -> None:
        if self._fails:
            raise RedisConnectionError("gone")
        self.bots.append(str(bot))


async def test_one_mark_stands_for_what_follows_within_a_second() -> None:
    now, marks = [0.0], Marks()
    waker = Waker(marks, clock=lambda: now[0])  # type: ignore[arg-type]
    for _ in range(3):
        await waker.need(NIGHT)
    await waker.need(NIGHT.model_copy(update={"name": "owl"}))
    assert marks.bots == ["shop/night", "shop/owl"]
    now[0] = INTERVAL_SECONDS
    await waker.need(NIGHT)
    assert marks.bots[2:] == ["shop/night"]


async def test_a_mark_that_fails_does_not_fail_the_message() -> None:
    await Waker(Marks(fails=True)).need(NIGHT)  # type: ignore[arg-type]
