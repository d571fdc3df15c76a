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
from botyard.runtime.hosts import Host
from botyard.runtime.parking import ParkTurn
from botyard.runtime.pool_worker import PoolWorker
from botyard.runtime.residents import Residents
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
            wanted=wanted,
            hosts=self._regulars,
            kill=self._kill_host,
            changed=changed,
            take=self._lend,
            give_back=self._take_back,
            left=left,
        )
        return self.residents

    def _regulars(self) -> list[PoolWorker]:
        """Return the ready workers without the spare, and without those of suspects."""
        assert self._config is not None
        return self._common()[: self._config.limits.workers]

    def _common(self) -> list[PoolWorker]:
        return [w for w in self._workers.values() if w.ready and not w.exclusive and not w.apart]

    async def _kill_host(self, host: Host) -> None:
        if (worker := self._workers.get(host.name)) is not None:
            worker.doomed = True
            await worker.kill()

    def _lend(self) -> PoolWorker | None:
        """Return an idle worker for suspects to live in; None: one is being started."""
        assert self._config is not None
        self._changes.tell()
        lent = next((w for w in self._common()[self._config.limits.workers :] if self._is_idle(w)), None)
        if lent is not None:
            lent.apart = True
        return lent

    def _take_back(self, host: Host) -> None:
        if (worker := self._workers.get(host.name)) is not None:
            worker.apart = False
        self._changes.tell()

    def _is_idle(self, worker: PoolWorker) -> bool:
        return not worker.turns and (self.residents is None or not self.residents.lodgers(worker))

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
            self._park_while_it_pauses(resident, request)
            worker = await (self._set_apart(resident, timeout) if exclusive else self._home_of(resident, timeout))
            self._park_while_it_pauses(resident, request)
            if worker is None:
                raise WorkerDied(f"the worker ended in which {resident} began", crashed=False)
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

    def _park_while_it_pauses(self, resident: str, request: TurnRequest) -> None:
        """Put a turn aside whose resident does not begin for now.

        Raises:
            ParkTurn: It does not.
        """
        assert self.residents is not None
        if pause := self.residents.pause_of(resident):
            reason = f"{resident} ended its process and begins again in {pause:.0f} s"
            raise ParkTurn(reason, until_ms=request.now_ms + int(pause * 1000))

    async def _set_apart(self, resident: str, timeout: float) -> PoolWorker | None:
        """Return a worker in which `resident` lives alone, once nothing else of it runs; None: that ended.

        Raises:
            TurnTimeout: That did not happen within `timeout` seconds.
        """
        assert self.residents is not None
        residents, found = self.residents, None

        def pick() -> bool:
            nonlocal found
            idle = [worker for worker in self._common() if self._is_idle(worker)]
            found = idle[-1] if idle and not self._busy[resident] else None
            return found is not None

        try:
            async with asyncio.timeout(timeout):
                await self._changes.until(pick)
                assert found is not None
                found.exclusive = True
                if await residents.apart(resident, found):
                    return found
                found.exclusive = False
                return None
        except TimeoutError:
            if found is not None:
                found.exclusive = False
            raise TurnTimeout(f"{resident} did not come to a worker of its own within {timeout:g} s") from None

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
            await self._changes.until(
                lambda: self._host is not None and (self._missing() > 0 or self._superfluous() is not None)
            )
            if (worker := self._superfluous()) is not None:
                worker.apart = worker.doomed = True
                await worker.kill()
                continue
            if self._failures:
                pause = min(RESPAWN_CAP, 0.25 * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
                await asyncio.sleep(pause)
            await self._spawn()

    def _missing(self) -> int:
        assert self._config is not None
        wanted = self._config.limits.workers + 1 + (self.residents.suspects.workers if self.residents else 0)
        return wanted - sum(not worker.doomed for worker in self._workers.values())

    def _superfluous(self) -> PoolWorker | None:
        """Return an idle worker that suspects need no more."""
        assert self._config is not None
        if self.residents is None or self._missing() >= 0:
            return None
        return next((w for w in reversed(self._common()[self._config.limits.workers :]) if self._is_idle(w)), None)

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

    async def _home_of(self, resident: str, timeout: float) -> PoolWorker | None:
        """Return the worker in which `resident` lives; None: it pauses, or that worker has just ended.

        Raises:
            TurnTimeout: It did not begin to run anywhere within `timeout` seconds.
        """
        assert self.residents is not None
        try:
            async with asyncio.timeout(timeout):
                host = await self.residents.host_of(resident)
        except TimeoutError:
            raise TurnTimeout(f"the loop of {resident} did not begin within {timeout:g} s") from None
        return self._workers.get(host.name) if host is not None else None

    async def _pick(self, exclusive: bool) -> PoolWorker:
        """Return the ready worker with the fewest turns; for an exclusive turn an idle one, kept for it alone."""
        found: PoolWorker | None = None

        def pick() -> bool:
            nonlocal found
            assert self._config is not None
            ready = [worker for worker in self._common() if not worker.doomed]
            candidates = [w for w in ready if not w.turns][-1:] if exclusive else self._for_anyone(ready)
            found = min(candidates, key=lambda worker: len(worker.turns), default=None)
            return found is not None

        await self._changes.until(pick)
        assert found is not None
        found.exclusive = exclusive
        return found

    def _for_anyone(self, ready: list[PoolWorker]) -> list[PoolWorker]:
        """Return those of the ready workers that may get a turn: those that answer.

        The spare only as long as nobody waits for it to be empty, with an event that has to be tried alone.
        """
        assert self._config is not None
        # All but the youngest work; the youngest is the spare, as long as there is another.
        regular, spare = ready[: self._config.limits.workers], ready[self._config.limits.workers :]
        answering = [worker for worker in regular if not worker.pulse.late]
        free = [] if self._exclusive.locked() else [worker for worker in spare if not worker.pulse.late]
        return answering or free or regular

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
            self._changes.tell()
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
        if worker.has_ended(how, by_itself=not self._closing):
            self.restarts += 1
            if self.residents is not None:
                self.residents.ended(worker, how)
        if self.residents is not None:
            self.residents.wake()
        self._changes.tell()


def _how(message: frames.Message) -> str:
    if message.get("signal") == 9:
        return "the worker was killed (signal 9), most likely because it used too much memory"
    if message.get("signal"):
        return f"the worker ended by signal {message['signal']}"
    return f"the worker ended itself with exit code {message.get('code')}"
