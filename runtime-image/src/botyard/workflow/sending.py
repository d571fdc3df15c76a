"""What the communicator's methods return: an event that is on its way, awaited or not."""

import asyncio
import logging
from collections.abc import Coroutine, Generator
from typing import Any

log = logging.getLogger("botyard.workflow")


class Sending(Coroutine[Any, Any, None]):
    """Sends from the moment that it is made, so that an event whose `await` was forgotten is sent all the same.

    It may be awaited, given to `asyncio.create_task` or to `gather`, like the coroutine that it stands for. Made where
    no event loop runs, it is nothing but that coroutine.
    """

    def __init__(self, sending: Coroutine[Any, Any, None], pending: "set[asyncio.Task[None]]") -> None:
        """Begin.

        Args:
            sending: What sends.
            pending: Holds the task until it is done.
        """
        self._awaiting: Generator[Any, Any, None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._sending = sending
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._task = loop.create_task(sending)
        pending.add(self._task)
        self._task.add_done_callback(pending.discard)
        self._task.add_done_callback(_look)

    def __await__(self) -> Generator[Any, Any, None]:
        return (self._task or self._sending).__await__()

    def send(self, value: Any) -> Any:
        """As a coroutine does."""
        return self._iterator().send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine does."""
        return self._iterator().throw(*error)

    def close(self) -> None:
        """As a coroutine does; what is on its way stays so."""
        if self._awaiting is not None:
            self._awaiting.close()
        elif self._task is None:
            self._sending.close()

    def _iterator(self) -> Generator[Any, Any, None]:
        if self._awaiting is None:
            self._awaiting = self.__await__()
        return self._awaiting


def _look(task: "asyncio.Task[None]") -> None:
    # An exception that nobody awaits is told by the turn (see `ChatCommunicator.flush`), not by the event loop.
    if not task.cancelled():
        task.exception()
