"""One turn that runs in a worker, as its supervisor sees it: what it says, what it asks, how it ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from botyard.program import Output, TurnOutcome, TurnRequest
from botyard.runtime import frames
from botyard.runtime.errors import WorkerDied
from botyard.runtime.parking import ParkTurn
from botyard.runtime.signals import Stop
from botyard.runtime.turn_models import TurnModels

Tell = Callable[[Any], Awaitable[None]]
"""Sends a part of an answer ahead."""
Handler = Callable[[str, Mapping[str, Any], Tell], Awaitable[Any]]
"""Answers a turn's call: (method, args, parts) → result. An exception is raised in the turn, with its `code`."""
Emit = Callable[[Output], Awaitable[None]]


class RunningTurn:
    """Answers what a turn asks, and keeps what comes of it."""

    def __init__(
        self, request: TurnRequest, *, stop: Stop, emit: Emit, handle: Handler, models: TurnModels | None = None
    ) -> None:
        """Begin.

        Args:
            request: The turn.
            stop: Ends it when set.
            emit: Gets outputs that leave before the commit.
            handle: Answers what the turn asks of the supervisor.
            models: Answers what the bundle's own clients ask of models.
        """
        self.name = request.turn
        self.run = request.run
        self.models = models
        self.overdue = False
        """It did not end: its worker is being killed for it."""
        self._outcome: asyncio.Future[TurnOutcome] = asyncio.get_running_loop().create_future()
        self._stop = stop
        self._emit = emit
        self._handle = handle
        self._told_to_park: ParkTurn | None = None
        self._answers: dict[int, asyncio.Task[None]] = {}
        """What it waits for, by the calls' numbers."""

    @property
    def parked(self) -> ParkTurn | None:
        """Why it is put aside: what answered a call said so."""
        return self._told_to_park or (self.models.parked if self.models is not None else None)

    async def settled(self) -> None:
        """Wait until the turn has ended, or is to end."""
        await asyncio.wait((self._outcome, self._stop.told), return_when=asyncio.FIRST_COMPLETED)

    async def ended(self, timeout: float) -> bool:
        """Wait until the turn has ended; False when that did not come within `timeout` seconds."""
        await asyncio.wait((self._outcome,), timeout=timeout)
        return self._outcome.done()

    @property
    def has_ended(self) -> bool:
        """Whether there is an outcome, or a reason why there will be none."""
        return self._outcome.done()

    def outcome(self) -> TurnOutcome:
        """Return what came of it, once it has ended.

        Raises:
            WorkerDied: The worker ended first.
            Exception: What it said could not be passed on.
        """
        return self._outcome.result()

    def worker_died(self, how: str, *, crashed: bool) -> None:
        """Take note that nothing will come of it any more."""
        if not self._outcome.done() and not self.overdue:
            self._outcome.set_exception(WorkerDied(how, crashed=crashed))

    async def hears(self, channel: frames.Channel, message: frames.Message) -> None:
        """Take in one message of its worker.

        Raises:
            KeyError, TypeError, pydantic.ValidationError: It is nonsense.
        """
        kind = message["t"]
        if kind == "output":
            output = Output.model_validate(message["output"])
            try:
                await self._emit(output)
            except Exception as error:
                # Not this connection's fault: the turn ends with it.
                if not self._outcome.done():
                    self._outcome.set_exception(error)
        elif kind == "call":
            # Apart from reading, since the answer may take as long as a model does.
            number = int(message["id"])
            task = self._answers[number] = asyncio.create_task(self._answer(channel, message))
            task.add_done_callback(lambda _: self._answers.pop(number, None))
        elif kind == "drop":
            if (waiting := self._answers.get(int(message["id"]))) is not None:
                waiting.cancel()
        elif kind == "done" and not self._outcome.done():
            self._outcome.set_result(TurnOutcome.model_validate(message["outcome"]))

    async def _answer(self, channel: frames.Channel, message: frames.Message) -> None:
        reply: frames.Message = {"t": "answer", "turn": message["turn"], "id": message["id"]}

        async def tell(events: Any) -> None:
            await channel.send({"t": "piece", "turn": message["turn"], "id": message["id"], "events": events})

        try:
            reply["result"] = await self._handle(str(message["method"]), message["args"], tell)
        except ParkTurn as error:
            self._told_to_park = error
            self._stop.set()
            reply["error"] = f"TurnParked: {error}"
        except Exception as error:
            code = getattr(error, "code", None)
            reply["error"] = str(error) if code else f"{type(error).__name__}: {error}"
            reply |= {"code": code} if code else {}
        with contextlib.suppress(ConnectionError):
            await channel.send(reply)

    def close(self) -> None:
        """Leave nothing behind: nobody waits for it any more."""
        for answer in self._answers.values():
            answer.cancel()
        if not self._outcome.done():
            self._outcome.cancel()
        elif not self._outcome.cancelled():
            # Whoever needed to know was told.
            self._outcome.exception()
