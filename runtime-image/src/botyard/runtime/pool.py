"""The supervisor's workers: spawned through the host, given turns, killed past a deadline, replaced at once."""

import asyncio
import contextlib
import itertools
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.models.errors import NotAttributed, Unauthorized
from botyard.program import Output, TurnOutcome, TurnRequest
from botyard.runtime import frames
from botyard.runtime.parking import ParkTurn
from botyard.runtime.residents import Host, Residents
from botyard.runtime.turn_models import TurnModels

log = logging.getLogger("botyard.pool")

CANCEL_GRACE = 3.0
"""Seconds that code gets to end by itself after it was cancelled; then its worker is killed."""
LOAD_TIMEOUT = 120.0
"""Seconds for a worker to start and import the bundle."""
RESPAWN_CAP = 10.0
"""Seconds between starts of workers that keep failing, at most."""

Tell = Callable[[Any], Awaitable[None]]
"""Sends a part of an answer ahead."""
Handler = Callable[[str, Mapping[str, Any], Tell], Awaitable[Any]]
"""Answers a turn's call: (method, args, parts) → result. An exception is raised in the turn, with its `code`."""


AnswerResident = Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
"""Answers what a resident asks between events: (its name, method, args)."""


class WorkerDied(Exception):
    """The worker that ran the turn ended before the turn did.

    Attributes:
        crashed: The worker ended by itself, so this turn, or one beside it, may be why.
    """

    def __init__(self, message: str, *, crashed: bool) -> None:
        super().__init__(message)
        self.crashed = crashed


class TurnTimeout(Exception):
    """The turn ran past its deadline; its worker was killed."""


class TurnCancelled(Exception):
    """Somebody asked for the turn to be cancelled."""


class LoadFailed(Exception):
    """The bundle cannot be imported.

    Attributes:
        where: Line of the bundle, when there is one.
    """

    def __init__(self, kind: str, message: str, where: str) -> None:
        super().__init__(f"{kind}: {message}" + (f" (at {where})" if where else ""))
        self.where = where


@dataclass(slots=True)
class _Turn:
    run: str
    """As `TurnRequest.run` tells it."""
    outcome: asyncio.Future[TurnOutcome]
    emit: Callable[[Output], Awaitable[None]]
    handle: Handler
    stop: asyncio.Event
    """Ends the turn when set."""
    told_to_park: ParkTurn | None = None
    """Raised by what answered a call."""
    models: TurnModels | None = None
    answers: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    """What it waits for, by the calls' numbers."""

    @property
    def parked(self) -> ParkTurn | None:
        """Why it is put aside."""
        return self.told_to_park or (self.models.parked if self.models is not None else None)


@dataclass(slots=True, eq=False)
class _Worker:
    name: str
    started: asyncio.Future[None]
    """Done when the bundle is imported; its exception tells why it could not be."""
    channel: frames.Channel | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What its bundle's own clients call the metered endpoint with."""
    turns: dict[str, _Turn] = field(default_factory=dict)
    exclusive: bool = False
    """Runs one suspect turn alone; gets no other."""
    overdue: set[str] = field(default_factory=set)
    """Turns past their deadline, for which the worker is being killed."""
    ended: bool = False

    @property
    def ready(self) -> bool:
        return not self.ended and self.started.done() and self.started.exception() is None

    async def tell(self, message: Mapping[str, Any]) -> None:
        if self.channel is not None:
            with contextlib.suppress(ConnectionError):
                await self.channel.send(dict(message))


class WorkerPool:
    """Keeps `limits.workers` workers and one loaded spare, and runs turns in them.

    The spare takes over within milliseconds when a worker is killed, and is where a turn that may have killed a
    worker is tried again, alone, so that guilt is certain before an event is given up.
    """

    def __init__(self, socket_path: Path, *, bundle: Path, credentials: Callable[[], Mapping[str, str]]) -> None:
        """Prepare a pool; `start` begins.

        Args:
            socket_path: Where the host and the workers connect.
            bundle: Folder of the bundle as workers see it.
            credentials: Reads the bundle's credentials, for each new worker afresh.
        """
        self._socket_path = socket_path
        self._bundle = bundle
        self._credentials = credentials
        self._config: BotConfig | None = None
        self._names = itertools.count(1)
        self._workers: dict[str, _Worker] = {}
        self._host: frames.Channel | None = None
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()
        self._exclusive = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._closing = False
        self.model_url = ""
        """Base URL of the metered endpoint, told to workers that start from now on; empty: there is none."""
        self._answers: set[asyncio.Task[None]] = set()
        self._answer_call: AnswerResident | None = None
        self._residential = False
        self.residents: Residents | None = None
        """Of a bundle whose Personas live in workers."""
        self.load_error: LoadFailed | None = None
        """Why the newest worker could not import the bundle; None once one could."""
        self.restarts = 0
        """Workers that ended without being told to."""

    async def start(self, config: BotConfig) -> None:
        """Listen for the host and keep workers from now on."""
        self._config = config
        self._socket_path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, path=str(self._socket_path), limit=1 << 20)
        self._keeper = asyncio.create_task(self._keep(), name="pool-keeper")

    def house(
        self,
        *,
        wanted: Callable[[], Mapping[str, PersonaConfig]],
        changed: Callable[[str, Mapping[str, Any]], None],
        answer: AnswerResident,
    ) -> Residents | None:
        """Keep residents from now on, if the bundle has any; the caller runs what is returned. Call once it is loaded.

        Args:
            wanted: Personas that should live here now, by name.
            changed: Told how a resident fares.
            answer: Answers what a resident asks: (its name, method, args).
        """
        if not self._residential:
            return None
        self._answer_call = answer
        self.residents = Residents(wanted=wanted, hosts=self._regulars, kill=self._kill_host, changed=changed)
        return self.residents

    def _regulars(self) -> list[_Worker]:
        """Return the ready workers without the spare."""
        assert self._config is not None
        return [worker for worker in self._workers.values() if worker.ready][: self._config.limits.workers]

    async def _kill_host(self, host: Host) -> None:
        if (worker := self._workers.get(host.name)) is not None:
            await self._kill(worker)

    def configure(self, config: BotConfig) -> None:
        """Use another configuration for workers that start from now on."""
        self._config = config

    async def ready(self) -> None:
        """Return when a worker has imported the bundle.

        Raises:
            LoadFailed: It cannot be imported.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self.load_error or any(w.ready for w in self._workers.values()))
        if self.load_error:
            raise self.load_error

    @property
    def loaded(self) -> int:
        """How many workers could take a turn now."""
        return sum(worker.ready for worker in self._workers.values())

    async def run(
        self,
        request: TurnRequest,
        *,
        timeout: float,
        journal: Mapping[str, bytes],
        exclusive: bool,
        cancelled: asyncio.Event,
        emit: Callable[[Output], Awaitable[None]],
        handle: Handler,
        models: TurnModels | None = None,
        resident: str = "",
    ) -> TurnOutcome:
        """Run one turn and return its outcome.

        Args:
            request: The turn.
            timeout: Seconds after which its worker is killed.
            journal: Records of steps that earlier runs took.
            exclusive: Run it in a worker of its own: it may have killed one before.
            cancelled: Ends the turn when set.
            emit: Gets outputs that leave before the commit.
            handle: Answers what the turn asks of the supervisor.
            models: Answers what the bundle's own clients ask of models.
            resident: Run it in the worker where this resident lives.

        Raises:
            ParkTurn: `handle` raised it, or `models` says so; the turn's code is ended as if it were cancelled.
            TurnCancelled: `cancelled` was set before the turn ended.
            TurnTimeout: The deadline passed.
            WorkerDied: The worker ended first.
        """
        alone = exclusive and not resident
        async with self._exclusive if alone else contextlib.nullcontext():
            worker = await (self._home_of(resident, timeout) if resident else self._pick(alone))
            turn = _Turn(
                request.run, asyncio.get_running_loop().create_future(), emit, handle, cancelled, models=models
            )
            worker.turns[request.turn] = turn
            try:
                assert worker.channel is not None
                await worker.channel.send(
                    {
                        "t": "run",
                        "turn": request.turn,
                        "request": request.model_dump(by_alias=True),
                        "journal": dict(journal),
                    }
                )
                async with asyncio.timeout(timeout):
                    return await self._outcome(worker, request.turn, turn, cancelled)
            except TimeoutError:
                worker.overdue.add(request.turn)
                await self._kill(worker)
                raise TurnTimeout(f"the turn did not end within {timeout:g} s; its worker was killed") from None
            except ConnectionError as error:
                raise WorkerDied("the worker's connection broke", crashed=False) from error
            finally:
                worker.turns.pop(request.turn, None)
                worker.exclusive = False
                for answer in turn.answers.values():
                    answer.cancel()
                if not turn.outcome.done():
                    turn.outcome.cancel()
                async with self._changed:
                    self._changed.notify_all()

    async def _outcome(self, worker: _Worker, name: str, turn: _Turn, cancelled: asyncio.Event) -> TurnOutcome:
        """Return the outcome of a turn, or end it when `cancelled` is set first."""
        cancelling = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait((turn.outcome, cancelling), return_when=asyncio.FIRST_COMPLETED)
            if turn.outcome.done() and turn.parked is None:
                return turn.outcome.result()
            assert worker.channel is not None
            await worker.channel.send({"t": "cancel", "turn": name})
            await asyncio.wait((turn.outcome,), timeout=CANCEL_GRACE)
            if not turn.outcome.done():
                worker.overdue.add(name)
                await self._kill(worker)
            if turn.parked is not None:
                raise turn.parked
            raise TurnCancelled("the turn was cancelled")
        finally:
            cancelling.cancel()

    async def close(self) -> None:
        """Kill all workers and stop listening."""
        self._closing = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for worker in self._workers.values():
            if worker.channel is not None:
                worker.channel.close()
        if self._host is not None:
            self._host.close()

    def models_of(self, token: str, run: str) -> TurnModels:
        """Return who answers what a worker's bundle asks of models.

        Args:
            token: The worker's.
            run: The run of a turn that asks; empty where the client does not tell.

        Raises:
            Unauthorized: There is no such worker.
            NotAttributed: It is not clear which turn asks, or that turn is over.
        """
        worker = next((w for w in self._workers.values() if secrets.compare_digest(w.token, token)), None)
        if worker is None:
            raise Unauthorized("this endpoint takes the key that the worker was given (OPENAI_API_KEY)")
        if run:
            # Not the turn's: a thread that an earlier run left behind may still ask.
            found = next((turn for turn in worker.turns.values() if turn.run == run), None)
        elif len(worker.turns) == 1:
            found = next(iter(worker.turns.values()))
        else:
            raise NotAttributed(
                f"{len(worker.turns)} turns run, and the request does not say which one asks: call the model in the "
                "turn's own task or thread, by botyard.model or a client on httpx, aiohttp or requests"
            )
        if found is None or found.models is None:
            raise NotAttributed("the turn that asks is over, or may not ask models")
        return found.models

    # Keeping workers.

    async def _keep(self) -> None:
        """Have enough workers, for ever; starts that fail are repeated with growing pauses."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._host is not None and self._missing() > 0)
            if self._failures:
                pause = min(RESPAWN_CAP, 0.25 * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
                await asyncio.sleep(pause)
            await self._spawn()

    def _missing(self) -> int:
        assert self._config is not None
        return self._config.limits.workers + 1 - len(self._workers)

    async def _spawn(self) -> None:
        if self._host is None:
            return
        name = f"worker-{next(self._names)}"
        worker = _Worker(name, asyncio.get_running_loop().create_future())
        self._workers[name] = worker
        try:
            await self._host.send({"t": "spawn", "worker": name})
            async with asyncio.timeout(LOAD_TIMEOUT):
                await asyncio.shield(worker.started)
            self._failures = 0
            self.load_error = None
            if self.residents is not None:
                self.residents.wake()
        except LoadFailed as error:
            self._failures += 1
            self.load_error = error
            await self._kill(worker)
        except TimeoutError:
            self._failures += 1
            self.load_error = LoadFailed("ImportTimeout", f"the import did not end within {LOAD_TIMEOUT:g} s", "")
            await self._kill(worker)
        except (WorkerDied, ConnectionError) as error:
            self._failures += 1
            self.load_error = LoadFailed("WorkerDied", f"while it imported the bundle: {error}", "")
            self._workers.pop(name, None)
        async with self._changed:
            self._changed.notify_all()

    async def _kill(self, worker: _Worker) -> None:
        if self._host is not None:
            with contextlib.suppress(ConnectionError):
                await self._host.send({"t": "kill", "worker": worker.name})

    async def _home_of(self, resident: str, timeout: float) -> _Worker:
        """Return the worker in which `resident` lives.

        Raises:
            TurnTimeout: It did not begin to run anywhere within `timeout` seconds.
        """
        assert self.residents is not None
        try:
            async with asyncio.timeout(timeout):
                host = await self.residents.host_of(resident)
        except TimeoutError:
            raise TurnTimeout(f"the loop of {resident} did not begin within {timeout:g} s") from None
        return self._workers[host.name]

    async def _pick(self, exclusive: bool) -> _Worker:
        """Return the ready worker with the fewest turns; for an exclusive turn an idle one, kept for it alone."""
        assert self._config is not None
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: any(w.ready for w in self._workers.values()))
                ready = [w for w in self._workers.values() if w.ready and not w.exclusive]
                # All but the youngest work; the youngest is the spare, as long as there is another.
                if exclusive:
                    idle = [w for w in ready if not w.turns]
                    if idle:
                        idle[-1].exclusive = True
                        return idle[-1]
                elif ready:
                    return min(ready[: self._config.limits.workers], key=lambda w: len(w.turns))
                await self._changed.wait()

    # Connections.

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = frames.Channel(reader, writer)
        try:
            async with asyncio.timeout(10):
                first = await channel.receive()
            if first is None:
                return
            if first["t"] == "host":
                await self._serve_host(channel)
            elif first["t"] == "worker":
                worker = self._workers.get(str(first.get("worker")))
                if worker is not None and worker.channel is None and not worker.ended:
                    worker.channel = channel
                    await self._serve_worker(worker, channel)
        except (frames.ProtocolError, TimeoutError) as error:
            log.warning("a connection was cut off: %s", error)
        finally:
            channel.close()

    async def _serve_host(self, channel: frames.Channel) -> None:
        self._host = channel
        async with self._changed:
            self._changed.notify_all()
        try:
            while (message := await channel.receive()) is not None:
                if message["t"] == "exited":
                    await self._ended(str(message.get("worker")), _how(message))
        finally:
            if self._host is channel:
                self._host = None
            for name in list(self._workers):
                await self._ended(name, "the worker's container ended")

    async def _serve_worker(self, worker: _Worker, channel: frames.Channel) -> None:
        assert self._config is not None
        await channel.send(
            {
                "t": "load",
                "bundle": str(self._bundle),
                "entrypoint": self._config.entrypoint.model_dump(by_alias=True),
                "credentials": dict(self._credentials()),
                "config": dict(self._config.config),
                "namespace": self._config.namespace,
                "concurrency": self._config.limits.concurrency,
                "model": {"url": self.model_url, "token": worker.token},
            }
        )
        try:
            while (message := await channel.receive()) is not None:
                await self._on_message(worker, channel, message)
        except (frames.ProtocolError, KeyError, TypeError, ValidationError) as error:
            log.warning("worker %s sent nonsense and is killed: %s", worker.name, error)
        await self._kill(worker)

    async def _on_message(self, worker: _Worker, channel: frames.Channel, message: frames.Message) -> None:
        kind = message["t"]
        if kind == "loaded":
            self._residential = message.get("residential") is True
            if not worker.started.done():
                worker.started.set_result(None)
                log.info("%s has imported the bundle (%s)", worker.name, message.get("model"))
            return
        if kind == "load_failed":
            if not worker.started.done():
                texts = (str(message.get(name, ""))[:4000] for name in ("kind", "message", "where"))
                worker.started.set_exception(LoadFailed(*texts))
            return
        if kind == "resident" and self.residents is not None:
            await self.residents.hears(worker, message)
            return
        name = str(message.get("turn"))
        if kind == "call" and name.startswith("@") and self._answer_call is not None:
            posting = asyncio.create_task(self._answer_resident(channel, name[1:], message))
            self._answers.add(posting)
            posting.add_done_callback(self._answers.discard)
            return
        turn = worker.turns.get(name)
        if turn is None:
            if kind == "call":
                # Code of a turn that is over may go on in a thread; it must not wait for ever.
                await channel.send({"t": "answer", "id": message["id"], "error": "TurnOver: the turn has ended"})
            return
        if kind == "output":
            output = Output.model_validate(message["output"])
            try:
                await turn.emit(output)
            except Exception as error:
                # Not this connection's fault: the turn ends with it.
                if not turn.outcome.done():
                    turn.outcome.set_exception(error)
        elif kind == "call":
            # Apart from reading, since the answer may take as long as a model does.
            number = int(message["id"])
            task = turn.answers[number] = asyncio.create_task(self._answer(channel, turn, message))
            task.add_done_callback(lambda _: turn.answers.pop(number, None))
        elif kind == "drop":
            if (waiting := turn.answers.get(int(message["id"]))) is not None:
                waiting.cancel()
        elif kind == "done" and not turn.outcome.done():
            turn.outcome.set_result(TurnOutcome.model_validate(message["outcome"]))

    async def _answer(self, channel: frames.Channel, turn: _Turn, message: frames.Message) -> None:
        reply: frames.Message = {"t": "answer", "turn": message["turn"], "id": message["id"]}

        async def tell(events: Any) -> None:
            await channel.send({"t": "piece", "turn": message["turn"], "id": message["id"], "events": events})

        try:
            reply["result"] = await turn.handle(str(message["method"]), message["args"], tell)
        except ParkTurn as error:
            turn.told_to_park = error
            turn.stop.set()
            reply["error"] = f"TurnParked: {error}"
        except Exception as error:
            code = getattr(error, "code", None)
            reply["error"] = str(error) if code else f"{type(error).__name__}: {error}"
            reply |= {"code": code} if code else {}
        with contextlib.suppress(ConnectionError):
            await channel.send(reply)

    async def _answer_resident(self, channel: frames.Channel, name: str, message: frames.Message) -> None:
        reply: frames.Message = {"t": "answer", "turn": message["turn"], "id": message["id"]}
        try:
            assert self._answer_call is not None
            reply["result"] = await self._answer_call(name, str(message["method"]), message["args"])
        except Exception as error:
            code = getattr(error, "code", None)
            reply["error"] = str(error) if code else f"{type(error).__name__}: {error}"
            reply |= {"code": code} if code else {}
        with contextlib.suppress(ConnectionError):
            await channel.send(reply)

    async def _ended(self, name: str, how: str) -> None:
        worker = self._workers.pop(name, None)
        if worker is None:
            return
        worker.ended = True
        if self.residents is not None:
            self.residents.wake()
        if worker.channel is not None:
            worker.channel.close()
        if not worker.started.done():
            worker.started.set_exception(WorkerDied(how, crashed=False))
            # Nobody may be waiting for it any more.
            worker.started.exception()
        crashed = not worker.overdue and not self._closing and self._host is not None
        if crashed:
            self.restarts += 1
        for turn_id, turn in worker.turns.items():
            if not turn.outcome.done() and turn_id not in worker.overdue:
                turn.outcome.set_exception(WorkerDied(how, crashed=crashed))
        async with self._changed:
            self._changed.notify_all()


def _how(message: frames.Message) -> str:
    if message.get("signal") == 9:
        return "the worker was killed (signal 9), most likely because it used too much memory"
    if message.get("signal"):
        return f"the worker ended by signal {message['signal']}"
    return f"the worker ended itself with exit code {message.get('code')}"
