"""Everything around the bots of one machine, started and stopped in order."""

import asyncio
import contextlib
import functools
import logging
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from botyard.cli.dev import inputs
from botyard.cli.dev.accounts import accounts_written
from botyard.cli.dev.embedded_redis import embedded_redis
from botyard.cli.dev.ending import Ending
from botyard.cli.dev.processes import Child, readable
from botyard.cli.dev.replica import DRAIN_SECONDS, LAST_DRAIN_SECONDS, Replica
from botyard.cli.errors import CommandError
from botyard.contract import names
from botyard.contract.bot import BotConfig
from botyard.contract.erp import ErpSubscription, together
from botyard.contract.persona import PersonaConfig
from botyard.contract.routes import Route, Routes
from botyard.core.acknowledgement import Unsupported, confirm
from botyard.core.connection import connect
from botyard.erp.routing import ANY_TABLE
from botyard.gateway.authentication import Nobody
from botyard.gateway.authorization import Everything
from botyard.gateway.context import Gateway
from botyard.gateway.routes import RoutingTable
from botyard.gateway.server import GatewayServer, ServerSettings
from botyard.gateway.settings import LOCAL_HOSTS
from botyard.runtime.programs import LoadError, detect
from botyard.tracing import tracer

log = logging.getLogger("botyard.dev")


@dataclass(frozen=True, slots=True)
class LaptopBot:
    """One bot and its files."""

    bot: BotConfig
    folder: Path
    mounts: inputs.Mounts
    personas: tuple[PersonaConfig, ...] = ()
    default: bool = True
    """Messages that name no bot are for it."""

    def route(self, *, ready: bool, message: str) -> Route:
        """Return what the gateway knows of it."""
        model = self.bot.entrypoint.model
        if model == "auto":
            with contextlib.suppress(LoadError):
                model = detect(self.folder)
        return Route(
            namespace=self.bot.namespace,
            name=self.bot.name,
            model=model,
            default=self.default,
            ready=ready,
            reason="" if ready else "Loading",
            message=message,
            partitions=self.bot.partitions,
            max_input_bytes=self.bot.limits.max_input_bytes,
            personas=tuple(persona.name for persona in self.personas),
            subscriptions=together({persona.name: _wishes(persona) for persona in self.personas}),
        )


@dataclass(frozen=True, slots=True)
class Laptop:
    """Bots with everything around them."""

    bots: tuple[LaptopBot, ...]
    temporary: Path

    async def serve(self, redis_url: str | None, listener: socket.socket) -> None:
        """Serve until a signal comes.

        Args:
            redis_url: A running Redis; None: one of our own.
            listener: A bound socket for the gateway.

        Raises:
            CommandError: A part does not start or ended by itself.
        """
        ending = Ending()
        ending.listen()
        stop = ending.stop
        async with contextlib.AsyncExitStack() as stack:
            hosts = [await stack.enter_async_context(self._host(each)) for each in self.bots]
            url = redis_url if redis_url else await stack.enter_async_context(embedded_redis(self.temporary))
            redis = connect(url, max_connections=1024)
            stack.push_async_callback(redis.aclose)
            await _check(redis, url)
            table = RoutingTable()
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"

            routes: dict[str, Route] = {}

            def report(each: LaptopBot, ready: bool, message: str) -> None:
                routes[each.bot.name] = each.route(ready=ready, message=message)
                table.replace(Routes(routes=tuple(routes.values())))
                if ready:
                    name = each.bot.name
                    log.info("%s answers at %s/ and to: botyard chat %s %s", name, address, address, name)

            for each in self.bots:
                report(each, False, "the bot is being loaded; it answers in a moment")
            gateway = Gateway.on(
                redis, table, authenticator=Nobody(), authorizer=Everything(), rate=0, hosts=LOCAL_HOSTS
            )
            gateway.tracer = traces = tracer("botyard-dev")
            stack.push_async_callback(asyncio.to_thread, traces.close)
            await stack.enter_async_context(accounts_written(redis, table))
            server = GatewayServer(gateway, ServerSettings(drain_timeout=5), own_signals=False)
            replicas = [
                Replica(
                    redis,
                    each.mounts,
                    bundle=each.folder,
                    socket=self._socket(each),
                    report=functools.partial(report, each),
                    # With a Redis of our own nothing is left for anybody to go on with.
                    last_drain=DRAIN_SECONDS if redis_url else LAST_DRAIN_SECONDS,
                    tracer=traces,
                )
                for each in self.bots
            ]
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            running = [asyncio.create_task(replica.run(stop)) for replica in replicas]
            ended = [asyncio.create_task(host.wait()) for host in hosts]
            try:
                await asyncio.wait({serving, *running, *ended}, return_when=asyncio.FIRST_COMPLETED)
                if not stop.is_set() and (gone := next((host for host in ended if host.done()), None)) is not None:
                    raise CommandError(f"dev: a worker host ended with exit code {gone.result()}; see the log above")
            finally:
                log.info("stopping; Ctrl-C once more ends everything at once")
                ending.begin()
                server.stop()
                for host in ended:
                    host.cancel()
                results = await asyncio.gather(serving, *running, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    def _socket(self, each: LaptopBot) -> Path:
        # By number: the path of a socket must be short.
        return self.temporary / f"{self.bots.index(each)}-{names.WORKER_SOCKET}"

    def _host(self, each: LaptopBot) -> Child:
        command = [sys.executable, "-m", "botyard.cli.main", "worker-host", "--socket", str(self._socket(each))]
        return Child(command, lambda line: print(readable(line), file=sys.stderr))


def _wishes(persona: PersonaConfig) -> tuple[ErpSubscription, ...]:
    return (ErpSubscription(table=ANY_TABLE),) if persona.subscriptions is None else persona.subscriptions


async def _check(redis: Redis, url: str) -> None:
    try:
        await redis.ping()
        await confirm(redis)
    except Unsupported as error:
        raise CommandError(f"dev: {error}") from None
    except RedisError as error:
        # A URL may hold a password.
        place = url.rpartition("@")[2]
        raise CommandError(f"dev: Redis at {place} does not answer: {error}") from None
