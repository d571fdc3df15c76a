"""Tells loops: the same call over and over in one thread. Pure but for what it remembers."""

from collections import OrderedDict, deque

REPEATS = 8
"""Calls that ask the same anew, among the last `WINDOW` of a thread, after which the next one is refused."""
WINDOW = 24
THREADS = 10_000
"""Threads that are remembered; the one that was quiet for longest is forgotten."""


class Repeats:
    """What threads asked last."""

    def __init__(self, *, repeats: int = REPEATS, window: int = WINDOW, threads: int = THREADS) -> None:
        self._repeats = repeats
        self._window = window
        self._threads = threads
        self._asked: OrderedDict[str, deque[str]] = OrderedDict()

    def is_loop(self, thread: str, signature: str) -> bool:
        """Note a call; return whether it repeats what its thread asked too often already.

        A refused call counts too: the thread is let go once it asks other things.
        """
        asked = self._asked.pop(thread, None) or deque(maxlen=self._window)
        self._asked[thread] = asked
        if len(self._asked) > self._threads:
            self._asked.popitem(last=False)
        loop = asked.count(signature) >= self._repeats
        asked.append(signature)
        return loop
