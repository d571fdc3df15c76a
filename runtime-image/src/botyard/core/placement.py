"""Which replica should own which partition: rendezvous hashing with an even load.

Pure and deterministic: every replica computes the same answer from the same list, so nobody has to tell anybody.
"""

from collections.abc import Iterable
from hashlib import blake2b


def _score(replica: str, partition: int) -> bytes:
    return blake2b(f"{replica}\x00{partition}".encode(), digest_size=8).digest()


def place(replicas: Iterable[str], partitions: int) -> dict[int, str]:
    """Return the wanted owner of each partition.

    Each partition goes to its best-scoring replica that is not full; a replica is full at ceil(partitions/replicas),
    and no more replicas than needed reach that bound. A replica that joins or leaves moves little more than its share.

    Args:
        replicas: Names of the live replicas, in any order; empty gives an empty answer.
        partitions: Number of partitions of the bot.
    """
    names = sorted(set(replicas))
    if not names:
        return {}
    room, extra = divmod(partitions, len(names))
    load = dict.fromkeys(names, 0)
    placed: dict[int, str] = {}
    for partition in range(partitions):
        for name in sorted(names, key=lambda name: _score(name, partition), reverse=True):
            if load[name] < room or (load[name] == room and extra > 0):
                extra -= load[name] == room
                load[name] += 1
                placed[partition] = name
                break
    return placed
