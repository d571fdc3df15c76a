"""Who a bot is in Redis, and which of its partitions a key belongs to."""

import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BotAddress:
    """A bot and the number of partitions of its inbox.

    The number of partitions must not change while events or sessions exist: it decides where a key lives.
    """

    namespace: str
    name: str
    partitions: int = 16

    @staticmethod
    def affinity(key: str) -> str:
        """Return the part of `key` that decides its partition.

        It is what comes before a `~`, without a leading colon: `:nora` (a persona) and `nora~t1` (one of its threads)
        share a partition, so that a turn of one can cause events of the other within its commit.
        """
        return key.partition("~")[0].removeprefix(":")

    def partition(self, key: str) -> "Partition":
        """Return the partition of `key`: CRC-32 of its affinity modulo their number, stable over releases."""
        return Partition(self, zlib.crc32(self.affinity(key).encode()) % self.partitions)

    def all_partitions(self) -> "list[Partition]":
        """Return every partition, by number."""
        return [Partition(self, number) for number in range(self.partitions)]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a bot's inbox."""

    bot: BotAddress
    number: int

    def __str__(self) -> str:
        return f"{self.bot}/{self.number}"
