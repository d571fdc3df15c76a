"""The supervisor of one replica: wires configuration, workers, ownership, reading and turns."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from botyard.budget.meter import LedgerMeter
from botyard.budget.metrics import BudgetMetrics
from botyard.contract import names
from botyard.contract.bot import Ramp
from botyard.contract.persona import PersonaConfig
from botyard.core.address import BotAddress, Partition
from botyard.core.leases import LEASE_MS, Lease
from botyard.core.retention import Retention
from botyard.models.access import ModelAccess
from botyard.runtime import attribution, memory
from botyard.runtime.configuration import Configuration
from botyard.runtime.control import listen
from botyard.runtime.courier import Courier
from botyard.runtime.database_calls import DatabaseCalls
from botyard.runtime.dispatcher import Dispatcher
from botyard.runtime.draining import Draining
from botyard.runtime.endings import ended
from botyard.runtime.errors import LoadFailed
from botyard.runtime.health import HealthServer
from botyard.runtime.metrics import Metrics
from botyard.runtime.ownership import Ownership
from botyard.runtime.persistence import persist
from botyard.runtime.persona_reporter import PersonaReporter
from botyard.runtime.pool import WorkerPool
from botyard.runtime.ramping import RampCounter
from botyard.runtime.reader import InboxReader
from botyard.runtime.resident_calls import ResidentCalls
from botyard.runtime.residents import Residents
from botyard.runtime.turn_models import TurnModels
from botyard.runtime.turn_runner import TurnRunner
from botyard.tracing import NO_TRACES, Tracer
from botyard.usage.book import UsageBook
from botyard.usage.metrics import UsageMetrics

if TYPE_CHECKING:
    from botyard.models.server import OpenAIServer

log = logging.getLogger("botyard.supervisor")

HOLD_LEASES = 10
"""Leases that what a model call set aside outlives this process: as long as Redis may be away without harm."""
LOOK_BATCH, LOOK_PAUSE = 50, 0.1
"""Parked turns that are looked at together, and the seconds before the next ones."""
DEAF_AFTER = 60.0
"""Seconds without a look that reached Redis after which the process no longer counts as ready."""
STUCK_AFTER = 30.0
"""Seconds that the event loop may be late before the process counts as unhealthy."""


class Supervisor:
    """One replica of a bot."""

    def __init__(
        self,
        redis: Redis,
        configuration: Configuration,
        *,
        replica: str,
        socket_path: Path,
        bundle: Path,
        health_host: str = "0.0.0.0",  # noqa: S104 - the kubelet comes from outside the pod
        health_port: int = 0,
        health_port_file: Path | None = None,
        model_keys: Path = Path(names.MODEL_KEYS_DIR),
        lease_ms: int = LEASE_MS,
        retention: Retention | None = None,
        revision: str = "",
        draining: Draining | None = None,
        tracer: Tracer = NO_TRACES,
    ) -> None:
        """Prepare a replica; `run` starts it.

        Args:
            redis: A client that nobody else closes.
            configuration: Loaded already.
            replica: Name of the pod; this incarnation adds a random part, as a restarted container is another owner.
            socket_path: Where worker host and workers connect.
            bundle: Folder of the bundle as workers see it.
            health_host: Address of the probes.
            health_port: Port of the probes; 0 takes a free one.
            health_port_file: Where to tell which port it is.
            model_keys: Folder of the API keys of model providers.
            lease_ms: Milliseconds that leases live without renewal.
            retention: What is kept in Redis.
            revision: Of the bundle; kept beside each state.
            draining: An older revision whose conversations end on it; None: there is none.
            tracer: Gets the spans of turns; whoever made it closes it.
        """
        bot = configuration.bot
        self.address = BotAddress(bot.namespace, bot.name, bot.partitions)
        self.metrics = Metrics()
        self.pool = WorkerPool(socket_path, bundle=bundle, credentials=configuration.credentials)
        self._older = draining.older(revision, configuration.credentials) if draining is not None else None
        self._configuration = configuration
        retention = retention or Retention()
        self._courier = Courier(redis, retention)
        self._redis = redis
        self._meter = LedgerMeter(
            redis, self.address, configuration, BudgetMetrics(self.metrics.registry), lease_ms=HOLD_LEASES * lease_ms
        )
        self._models = ModelAccess(
            self._meter,
            config=lambda: configuration.bot.model,
            scripts=configuration.folder,
            keys=model_keys,
            registry=self.metrics.registry,
        )
        self._endpoint: OpenAIServer | None = None
        self._ramp = RampCounter(redis, self.address, self._ramp_now)
        self._databases = DatabaseCalls(self.address, configuration, self.metrics.registry)
        self._runner = TurnRunner(
            redis,
            self.pool,
            configuration,
            self.metrics,
            retention,
            deliverable=self._courier.look,
            again=self._resume,
            sure=lambda lease: self._ownership.sure(lease),
            models=self._models,
            quotas=self._meter,
            usage=UsageBook(redis, self.address, UsageMetrics(self.metrics.registry)),
            revision=revision,
            board=self._board_changed,
            older=self._older,
            ramp=self._ramp if self._older is not None else None,
            tracer=tracer,
            databases=self._databases,
        )
        self._dispatcher = Dispatcher(self._runner, concurrency=bot.limits.concurrency, again=self._resume)
        self._reader = InboxReader(redis, self._dispatcher)
        self._ownership = Ownership(
            redis,
            self.address,
            name=f"{replica}-{secrets.token_hex(3)}",
            acquired=self._acquired,
            lost=self._lost,
            drain=self._drain,
            lease_ms=lease_ms,
        )
        self._health = HealthServer(
            healthy=self._unhealthy, ready=self._unready, registry=self.metrics.registry, refresh=self._measure
        )
        self._health_address = (health_host, health_port)
        self._health_port_file = health_port_file
        self._reporter = PersonaReporter(redis, self.address, replica, lambda: self._configuration.personas)
        self._resident_calls = ResidentCalls(redis, self.address, configuration, retention, self._databases)
        self._vacating: set[Partition] = set()
        self._beat = 0.0
        self._draining = False
        self._look = asyncio.Event()
        """Set: what is parked here may have what it waits for."""
        self._settled = False

    async def run(self, stop: asyncio.Event, *, drain_timeout: float = 30.0) -> None:
        """Serve until `stop` is set, then hand everything over within `drain_timeout` seconds.

        Raises:
            LoadFailed: No worker can import the bundle; nothing was taken.
        """
        await self._health.start(*self._health_address)
        if self._health_port_file is not None:
            self._health_port_file.write_text(str(self._health.port))
        if self._configuration.bot.model is not None:
            # Bots without a model do without the memory that a server for HTTP takes.
            from botyard.models.server import OpenAIServer

            self._endpoint = OpenAIServer(self._caller)
            await self._endpoint.start("127.0.0.1", 0)
            self.pool.model_url = f"http://127.0.0.1:{self._endpoint.port}/v1"
        await self.pool.start(self._configuration.bot)
        if self._older is not None:
            self._older.pool.model_url = self.pool.model_url
            await self._older.start(self._configuration.bot)
        tasks: list[asyncio.Task[None]] = []
        try:
            tasks.append(_start(self._watch_loop()))
            if not await self._loaded(stop):
                return
            memory.settle()
            if residents := self._house(self.pool):
                tasks += [_start(residents.run()), _start(self._reporter.run())]
            if self._older is not None and (residents := self._house(self._older.pool)):
                tasks.append(_start(residents.run()))
            tasks += [
                _start(self._ramp.run()),
                _start(self._configuration.watch(self._reconfigure)),
                _start(self._reader.run()),
                _start(self._courier.run()),
                _start(self._meter.run()),
                _start(self._look_at_parked()),
                _start(
                    listen(
                        self._redis,
                        self.address,
                        rebalance=self._ownership.wake,
                        cancel=self._runner.cancel,
                        resume=self._resume,
                        look=self._look.set,
                    )
                ),
            ]
            owning = _start(self._own())
            settling = _start(self._announce_settled())
            await _first(stop.wait(), *tasks, owning)
            self._draining = True
            log.info("draining: %s turns run", self._dispatcher.running)
            await ended((owning, settling))
            await self._ownership.leave(drain_timeout)
        finally:
            await ended(tasks)
            if self._endpoint is not None:
                await self._endpoint.close()
            await self.pool.close()
            if self._older is not None:
                await self._older.pool.close()
            await self._models.close()
            await self._databases.close()
            await self._health.close()

    async def _own(self) -> None:
        """Own partitions, from the moment that Redis's time is known on."""
        asked: Any = await persist(self._redis.time)
        self._runner.clock.heard(asked[0] * 1000 + asked[1] // 1000)
        await self._ownership.run()

    async def _look_at_parked(self) -> None:
        """Read parked turns again when told: their runs find out whether they may go on."""
        while True:
            await self._look.wait()
            self._look.clear()
            for number, key in enumerate(self._dispatcher.aside, start=1):
                self._resume(key)
                if number % LOOK_BATCH == 0:
                    await asyncio.sleep(LOOK_PAUSE)

    def _resume(self, key: str) -> None:
        self._reader.resume(key)

    def _caller(self, headers: Mapping[str, str]) -> TurnModels:
        """Return who answers a request to the metered endpoint."""
        token = headers.get("authorization", "").removeprefix("Bearer ").strip()
        run = headers.get(attribution.HEADER, "")
        if self._older is not None and self._older.pool.knows(token):
            return self._older.pool.models_of(token, run)
        return self.pool.models_of(token, run)

    def _acquired(self, lease: Lease) -> None:
        self._reader.add(lease)
        self._courier.add(lease)
        self._wake_residents()

    def _lost(self, partition: Partition) -> None:
        self._reader.remove(partition)
        self._courier.remove(partition)
        self._wake_residents()

    async def _drain(self, partition: Partition, timeout: float) -> bool:
        """Wait until nothing of a partition runs here, its residents included."""
        drained = await self._dispatcher.drain(partition, timeout)
        if houses := self._houses():
            self._vacating.add(partition)
            try:
                async with asyncio.timeout(timeout):
                    for house in houses:
                        await house.gone([name for name in house.here if self.address.partition(name) == partition])
            except TimeoutError:
                drained = False
            finally:
                # From here on the partition is no longer owned, or it was acquired anew.
                asyncio.get_running_loop().call_soon(self._vacating.discard, partition)
        return drained

    def _house(self, pool: WorkerPool) -> Residents | None:
        return pool.house(
            wanted=lambda: self._residents(pool),
            changed=self._resident_changed,
            answer=self._resident_calls,
            left=self._wake_residents,
        )

    def _houses(self) -> list[Residents]:
        pools = [self.pool, *([self._older.pool] if self._older is not None else ())]
        return [pool.residents for pool in pools if pool.residents is not None]

    def _residents(self, pool: WorkerPool) -> Mapping[str, PersonaConfig]:
        """Return the Personas whose loops belong into a pool: of owned partitions, and gone from the other pool."""
        owned, older = self._ownership.owned.keys() - self._vacating, self._older
        elsewhere = {name for house in self._houses() if house is not pool.residents for name in house.here}
        return {
            name: config
            for name, config in self._configuration.personas.items()
            if self.address.partition(name) in owned
            and name not in elsewhere
            and (older is not None and older.keeps(name, self._configuration.bot)) is (pool is not self.pool)
        }

    def _ramp_now(self) -> Ramp | None:
        """Return the ramp that turns are counted for: what another revision did says nothing of the ramped one."""
        older = self._older
        found = older.ramp(self._configuration.bot) if older is not None else None
        return found if found is not None and older is not None and found.revision == older.newest else None

    def _wake_residents(self) -> None:
        for house in self._houses():
            house.wake()

    def _board_changed(self, persona: str, tasks: Mapping[str, int]) -> None:
        self._reporter.has(persona, tasks)

    def _resident_changed(self, name: str, health: Mapping[str, Any]) -> None:
        log.info("persona %s: %s %s", name, health.get("state"), health.get("message", ""))
        self._reporter.fares(name, health)

    async def _loaded(self, stop: asyncio.Event) -> bool:
        """Return whether a worker imported the bundle before `stop` was set."""
        loading = asyncio.ensure_future(self._ready())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                return False
            loading.result()
            return True
        finally:
            for waiter in (loading, stopping):
                waiter.cancel()

    async def _ready(self) -> None:
        await self.pool.ready()
        if self._older is not None:
            await self._older.pool.ready()

    async def _announce_settled(self) -> None:
        await self._ownership.settled()
        self._settled = True
        log.info("ready: owns %s of %s partitions", len(self._ownership.owned), self.address.partitions)

    async def _reconfigure(self) -> None:
        self.pool.configure(self._configuration.bot)
        if self._older is not None:
            self._older.configure(self._configuration.bot)
        self._look.set()  # Budgets may have changed.
        self._wake_residents()
        await self._databases.reconfigured()

    async def _watch_loop(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1.0)

    def _unhealthy(self) -> str:
        late = time.monotonic() - self._beat
        return f"the event loop is {late:.0f} s late" if late > STUCK_AFTER else ""

    def _unready(self) -> str:
        if self._draining:
            return "draining"
        if isinstance(self.pool.load_error, LoadFailed) and not self.pool.loaded:
            return f"the bundle cannot be imported: {self.pool.load_error}"
        if not self.pool.loaded:
            return "no worker has imported the bundle yet"
        if not self._settled:
            return "waiting for the partitions that are this replica's share"
        silent = asyncio.get_running_loop().time() - self._ownership.last_look
        return f"Redis has not answered for {silent:.0f} s" if silent > DEAF_AFTER else ""

    def _measure(self) -> None:
        self.metrics.partitions.set(len(self._ownership.owned))
        self.metrics.running.set(self._dispatcher.running)
        self.metrics.parked.set(len(self._dispatcher.aside))
        self.metrics.workers.set(self.pool.loaded)
        self.metrics.worker_deaths.set(self.pool.restarts)
        oldest = self._dispatcher.oldest_accepted_ms()
        self.metrics.oldest.set(0 if oldest is None else max(0.0, self._runner.clock.now() - oldest / 1000))


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)


async def _first(*waits: Any) -> None:
    """Return when the first of several ends; raise what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(asyncio.CancelledError):
        for task in done:
            task.result()
