"""The supervisor's workers: spawned through the host, given turns, killed past a deadline, replaced at once."""

import asyncio
import contextlib
import itertools
import logging
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.models.errors import NotAttributed, Unauthorized
from botyard.program import TurnOutcome, TurnRequest
from botyard.runtime import frames
from botyard.runtime.errors import LoadFailed, TurnTimeout, WorkerDied
from botyard.runtime.pool_worker import PoolWorker
from botyard.runtime.residents import Host, Residents
from botyard.runtime.running_turn import RunningTurn
from botyard.runtime.signals import Changes
from botyard.runtime.turn_models import TurnModels

log = logging.getLogger("botyard.pool")

LOAD_TIMEOUT = 120.0
"""Seconds for a worker to start and import the bundle."""
RESPAWN_CAP = 10.0
"""Seconds between starts of workers that keep failing, at most."""

AnswerResident = Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
"""Answers what a resident asks between events: (its name, method, args)."""


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
        self._workers: dict[str, PoolWorker] = {}
        self._host: frames.Channel | None = None
        self._server: asyncio.Server | None = None
        self._changes = Changes()
        self._exclusive = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._closing = False
        self.model_url = ""
        """Base URL of the metered endpoint, told to workers that start from now on; empty: there is none."""
        self._answers: set[asyncio.Task[None]] = set()
        self._answer_call: AnswerResident | None = None
        self._residential = False
        self._busy: Counter[str] = Counter()
        """Turns that run, by their resident."""
        self.residents: Residents | None = None
        """Of a bundle whose Personas live in workers."""
        self.load_error: LoadFailed | None = None
        """Why the newest worker could not import the bundle; None once one could."""
        self.model = ""
        """Programming model of the bundle, once a worker has imported it."""
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
        left: Callable[[], None] = lambda: None,
    ) -> Residents | None:
        """Keep residents from now on, if the bundle has any; the caller runs what is returned. Call once it is loaded.

        Args:
            wanted: Personas that should live here now, by name.
            changed: Told how a resident fares.
            answer: Answers what a resident asks: (its name, method, args).
            left: Told when one of them is gone from here.
        """
        if not self._residential:
            return None
        self._answer_call = answer
        self.residents = Residents(
            wanted=wanted, hosts=self._regulars, kill=self._kill_host, changed=changed, left=left
        )
        return self.residents

    def _regulars(self) -> list[PoolWorker]:
        """Return the ready workers without the spare, and without one that runs a suspect turn."""
        assert self._config is not None
        ready = [worker for worker in self._workers.values() if worker.ready and not worker.exclusive]
        return ready[: self._config.limits.workers]

    async def _kill_host(self, host: Host) -> None:
        if (worker := self._workers.get(host.name)) is not None:
            await worker.kill()

    def configure(self, config: BotConfig) -> None:
        """Use another configuration for workers that start from now on."""
        self._config = config

    async def ready(self) -> None:
        """Return when a worker has imported the bundle.

        Raises:
            LoadFailed: It cannot be imported.
        """
        await self._changes.until(lambda: self.load_error is not None or self.loaded > 0)
        if self.load_error:
            raise self.load_error

    @property
    def loaded(self) -> int:
        """How many workers could take a turn now."""
        return sum(worker.ready for worker in self._workers.values())

    async def run(
        self,
        request: TurnRequest,
        turn: RunningTurn,
        *,
        timeout: float,
        journal: Mapping[str, bytes],
        exclusive: bool,
        resident: str = "",
    ) -> TurnOutcome:
        """Run one turn and return its outcome.

        Args:
            request: What to run.
            turn: Answers what it asks.
            timeout: Seconds after which its worker is killed.
            journal: Records of steps that earlier runs took.
            exclusive: Run it in a worker of its own: it may have killed one before.
            resident: Run it in the worker where this resident lives.

        Raises:
            ParkTurn, TurnCancelled, TurnTimeout, WorkerDied: As `PoolWorker.run`.
        """
        async with self._exclusive if exclusive else contextlib.nullcontext():
            if resident:
                return await self._run_resident(request, turn, timeout, journal, exclusive, resident)
            worker = await self._pick(exclusive)
            try:
                return await worker.run(turn, request, journal, timeout)
            finally:
                self._changes.tell()

    async def _run_resident(
        self,
        request: TurnRequest,
        turn: RunningTurn,
        timeout: float,
        journal: Mapping[str, bytes],
        exclusive: bool,
        resident: str,
    ) -> TurnOutcome:
        """Run a turn where its resident lives; for a suspect turn that is a worker of its own, with nobody else."""
        assert self.residents is not None
        worker: PoolWorker | None = None
        try:
            if exclusive:
                worker = await self._set_apart(resident, timeout)
            else:
                worker = await self._home_of(resident, timeout)
            self._busy[resident] += 1
            try:
                return await worker.run(turn, request, journal, timeout)
            finally:
                self._busy[resident] -= 1
        finally:
            if exclusive:
                self.residents.together(resident)
                if worker is not None:
                    worker.exclusive = False
            self._changes.tell()

    async def _set_apart(self, resident: str, timeout: float) -> PoolWorker:
        """Return a worker in which `resident` lives alone, once nothing else of it runs.

        Raises:
            TurnTimeout: That did not happen within `timeout` seconds.
        """
        assert self.residents is not None
        residents, found = self.residents, None

        def pick() -> bool:
            nonlocal found
            idle = [
                w for w in self._workers.values() if w.ready and not (w.exclusive or w.turns or residents.lodgers(w))
            ]
            found = idle[-1] if idle and not self._busy[resident] else None
            return found is not None

        try:
            async with asyncio.timeout(timeout):
                await self._changes.until(pick)
                assert found is not None
                found.exclusive = True
                await residents.apart(resident, found)
        except TimeoutError:
            if found is not None:
                found.exclusive = False
            raise TurnTimeout(f"{resident} did not come to a worker of its own within {timeout:g} s") from None
        return found

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

    def knows(self, token: str) -> bool:
        """Tell whether a worker of this pool has the token."""
        return any(secrets.compare_digest(worker.token, token) for worker in self._workers.values())

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
            models = worker.models_of(run)
        elif len(worker.turns) == 1:
            models = next(iter(worker.turns.values())).models
        else:
            raise NotAttributed(
                f"{len(worker.turns)} turns run, and the request does not say which one asks: call the model in the "
                "turn's own task or thread, by botyard.model or a client on httpx, aiohttp or requests"
            )
        if models is None:
            raise NotAttributed("the turn that asks is over, or may not ask models")
        return models

    # Keeping workers.

    async def _keep(self) -> None:
        """Have enough workers, for ever; starts that fail are repeated with growing pauses."""
        while True:
            await self._changes.until(lambda: self._host is not None and self._missing() > 0)
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
        worker = PoolWorker(name, self._host, asyncio.get_running_loop().create_future())
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
            await worker.kill()
        except TimeoutError:
            self._failures += 1
            self.load_error = LoadFailed("ImportTimeout", f"the import did not end within {LOAD_TIMEOUT:g} s", "")
            await worker.kill()
        except (WorkerDied, ConnectionError) as error:
            self._failures += 1
            self.load_error = LoadFailed("WorkerDied", f"while it imported the bundle: {error}", "")
            self._workers.pop(name, None)
        self._changes.tell()

    async def _home_of(self, resident: str, timeout: float) -> PoolWorker:
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

    async def _pick(self, exclusive: bool) -> PoolWorker:
        """Return the ready worker with the fewest turns; for an exclusive turn an idle one, kept for it alone."""
        found: PoolWorker | None = None

        def pick() -> bool:
            nonlocal found
            assert self._config is not None
            ready = [worker for worker in self._workers.values() if worker.ready and not worker.exclusive]
            # All but the youngest work; the youngest is the spare, as long as there is another.
            candidates = [w for w in ready if not w.turns][-1:] if exclusive else ready[: self._config.limits.workers]
            found = min(candidates, key=lambda worker: len(worker.turns), default=None)
            return found is not None

        await self._changes.until(pick)
        assert found is not None
        found.exclusive = exclusive
        return found

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
        self._changes.tell()
        try:
            while (message := await channel.receive()) is not None:
                if message["t"] == "exited":
                    await self._ended(str(message.get("worker")), _how(message))
        finally:
            if self._host is channel:
                self._host = None
            for worker in [each for each in self._workers.values() if each.host is channel]:
                await self._ended(worker.name, "the workers' container ended")

    async def _serve_worker(self, worker: PoolWorker, channel: frames.Channel) -> None:
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
        await worker.kill()

    async def _on_message(self, worker: PoolWorker, channel: frames.Channel, message: frames.Message) -> None:
        kind = message["t"]
        if kind == "resident" and self.residents is not None:
            await self.residents.hears(worker, message)
        elif kind == "call" and self._answer_call is not None and (name := str(message.get("turn"))).startswith("@"):
            posting = asyncio.create_task(self._answer_resident(channel, name[1:], message))
            self._answers.add(posting)
            posting.add_done_callback(self._answers.discard)
        else:
            if kind == "loaded" and not worker.started.done():
                self._residential = message.get("residential") is True
                self.model = str(message.get("model"))
                log.info("%s has imported the bundle (%s)", worker.name, message.get("model"))
            await worker.hears(message)

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
        if self.residents is not None:
            self.residents.wake()
        if worker.has_ended(how, by_itself=not self._closing):
            self.restarts += 1
        self._changes.tell()


def _how(message: frames.Message) -> str:
    if message.get("signal") == 9:
        return "the worker was killed (signal 9), most likely because it used too much memory"
    if message.get("signal"):
        return f"the worker ended by signal {message['signal']}"
    return f"the worker ended itself with exit code {message.get('code')}"
