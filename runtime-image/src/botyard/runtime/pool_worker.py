"""One worker of the pool, as the supervisor sees it: a connection, and the turns that run behind it."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botyard.program import TurnOutcome, TurnRequest
from botyard.runtime import frames
from botyard.runtime.errors import LoadFailed, TurnCancelled, TurnTimeout, WorkerDied
from botyard.runtime.pulse import Pulse
from botyard.runtime.running_turn import RunningTurn
from botyard.runtime.turn_models import TurnModels

CANCEL_GRACE = 3.0
"""Seconds that code gets to end by itself after it was cancelled; then its worker is killed."""


@dataclass(slots=True, eq=False)
class PoolWorker:
    """A worker from its start to its end."""

    name: str
    host: frames.Channel
    """Of the process that started it and can kill it."""
    started: asyncio.Future[None]
    """Done when the bundle is imported; its exception tells why it could not be."""
    channel: frames.Channel | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What its bundle's own clients call the metered endpoint with."""
    turns: dict[str, RunningTurn] = field(default_factory=dict)
    exclusive: bool = False
    """Runs one suspect turn alone; gets no other."""
    apart: bool = False
    """Residents live in it that are suspected of ending workers; it gets nobody else's turns."""
    doomed: bool = False
    """It is being killed for a turn that did not end, which is no other turn's fault."""
    ended: bool = False
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        self.pulse = Pulse(busy=lambda: bool(self.turns) and not self.ended, ask=lambda: self.tell({"t": "ping"}))

    @property
    def ready(self) -> bool:
        """Whether it has the bundle imported and has not ended."""
        return not self.ended and self.started.done() and self.started.exception() is None

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Send it a frame; a broken connection is its own affair."""
        if self.channel is not None:
            with contextlib.suppress(ConnectionError):
                await self.channel.send(dict(message))

    async def kill(self) -> None:
        """Have it killed; that it ended comes from its host."""
        with contextlib.suppress(ConnectionError):
            await self.host.send({"t": "kill", "worker": self.name})

    async def run(
        self, turn: RunningTurn, request: TurnRequest, journal: Mapping[str, bytes], timeout: float
    ) -> TurnOutcome:
        """Run a turn and return its outcome.

        Args:
            turn: Answers it.
            request: What to run.
            journal: Records of steps that earlier runs took.
            timeout: Seconds after which the worker is killed.

        Raises:
            ParkTurn: What answered a call says so; the turn's code is ended as if it were cancelled.
            TurnCancelled: It was asked to stop before it ended.
            TurnTimeout: The deadline passed.
            WorkerDied: The worker ended first.
        """
        self.turns[turn.name] = turn
        self.pulse.watch()
        try:
            assert self.channel is not None
            fields = request.model_dump(by_alias=True)
            async with asyncio.timeout(timeout):
                await self.channel.send({"t": "run", "turn": turn.name, "request": fields, "journal": dict(journal)})
                await turn.settled()
                if turn.has_ended and turn.parked is None:
                    return turn.outcome()
                await self.channel.send({"t": "cancel", "turn": turn.name})
                if not await turn.ended(CANCEL_GRACE):
                    await self._give_up(turn)
                raise turn.parked or TurnCancelled("the turn was cancelled")
        except TimeoutError:
            await self._give_up(turn)
            raise TurnTimeout(f"the turn did not end within {timeout:g} s; its worker was killed") from None
        except ConnectionError as error:
            raise WorkerDied("the worker's connection broke", crashed=False) from error
        finally:
            self.turns.pop(turn.name, None)
            self.exclusive = False
            turn.close()

    async def _give_up(self, turn: RunningTurn) -> None:
        """Have the worker killed for a turn that does not end."""
        self.doomed = turn.overdue = True
        await self.kill()

    async def hears(self, message: frames.Message) -> None:
        """Take in one message of a turn, or about the import of the bundle.

        Raises:
            KeyError, TypeError, pydantic.ValidationError: It is nonsense.
        """
        assert self.channel is not None
        kind = message["t"]
        if kind == "pong":
            self.pulse.answered()
        elif kind in ("loaded", "load_failed"):
            if self.started.done():
                return
            if kind == "loaded":
                self.started.set_result(None)
            else:
                texts = (str(message.get(name, ""))[:4000] for name in ("kind", "message", "where"))
                self.started.set_exception(LoadFailed(*texts))
        elif (turn := self.turns.get(str(message.get("turn")))) is not None:
            await turn.hears(self.channel, message)
        elif kind == "call":
            # Code of a turn that is over may go on in a thread; it must not wait for ever.
            await self.channel.send({"t": "answer", "id": message["id"], "error": "TurnOver: the turn has ended"})

    def models_of(self, run: str) -> TurnModels | None:
        """Return who answers what the bundle of this worker asks of models in a run; None: nobody does.

        Args:
            run: As the request tells it. Not the turn's name: a thread that an earlier run left behind may still ask.
        """
        return next((turn.models for turn in self.turns.values() if turn.run == run), None)

    def has_ended(self, how: str, *, by_itself: bool) -> bool:
        """Take note of its end; return whether that came unasked.

        Args:
            how: For people.
            by_itself: The supervisor did not end it; its whole container may have ended for what it did.
        """
        self.ended = True
        if self.channel is not None:
            self.channel.close()
        if not self.started.done():
            self.started.set_exception(WorkerDied(how, crashed=False))
            # Nobody may be waiting for it any more.
            self.started.exception()
        crashed = by_itself and not self.doomed
        for turn in self.turns.values():
            turn.worker_died(how, crashed=crashed)
        return crashed
