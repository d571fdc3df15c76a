"""Asks the Bot's model for the next message of a thread, and shows it as it is written."""

import asyncio
from typing import Any, Protocol

from botyard.loop.answers import ModelFailed
from botyard.model import ModelCallError
from botyard.program import Output, TurnIO


class Model(Protocol):
    """Asks the Bot's model, as part of the turn that runs."""

    async def __call__(self, io: TurnIO, body: dict[str, Any], role: str = "") -> dict[str, Any]:
        """Return a completion of the OpenAI protocol; pieces of its text are emitted on the way.

        `role` is one of `spec.model.roles`; empty: the Bot's model.

        Raises:
            ModelFailed: There is none.
        """


async def ask(io: TurnIO, body: dict[str, Any], role: str = "") -> dict[str, Any]:
    """Return a completion; its text is emitted piece by piece as `thread.delta`.

    Args:
        io: The turn that runs.
        body: A request of the OpenAI protocol.
        role: One of `spec.model.roles`; empty: the Bot's model.

    Raises:
        ModelFailed: The call was refused or failed.
    """
    pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def take(event: dict[str, Any]) -> None:
        for choice in event.get("choices") or ():
            if piece := (choice.get("delta") or {}).get("content"):
                pieces.put_nowait(piece)

    showing = asyncio.create_task(_show(io, pieces))
    try:
        return await io.model("chat", body, role, take)
    except ModelCallError as error:
        raise ModelFailed(str(error), error.code) from error
    finally:
        pieces.put_nowait(None)
        await showing


async def _show(io: TurnIO, pieces: "asyncio.Queue[str | None]") -> None:
    """Emit what has come, as much at a time as came meanwhile."""
    while (piece := await pieces.get()) is not None:
        text = [piece]
        ended = False
        while not pieces.empty():
            following = pieces.get_nowait()
            if following is None:
                ended = True
                break
            text.append(following)
        await io.emit(Output(type="thread.delta", data={"text": "".join(text)}))
        if ended:
            return
