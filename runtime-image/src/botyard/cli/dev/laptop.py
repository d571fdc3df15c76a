"""Everything around one bot on one machine, started and stopped in order."""

import asyncio
import contextlib
import logging
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from botyard.cli.dev import inputs
from botyard.cli.dev.embedded_redis import embedded_redis
from botyard.cli.dev.ending import Ending
from botyard.cli.dev.processes import Child, readable
from botyard.cli.dev.replica import DRAIN_SECONDS, LAST_DRAIN_SECONDS, Replica
from botyard.cli.errors import CommandError
from botyard.contract import names
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.routes import Route, Routes
from botyard.core.acknowledgement import Unsupported, confirm
from botyard.core.connection import connect
from botyard.gateway.authentication import Nobody
from botyard.gateway.authorization import Everything
from botyard.gateway.context import Gateway
from botyard.gateway.routes import RoutingTable
from botyard.gateway.server import GatewayServer, ServerSettings
from botyard.gateway.settings import LOCAL_HOSTS
from botyard.runtime.programs import LoadError, detect

log = logging.getLogger("botyard.dev")


@dataclass(frozen=True, slots=True)
class Laptop:
    """One bot with everything around it."""

    bot: BotConfig
    folder: Path
    temporary: Path
    mounts: inputs.Mounts
    personas: tuple[PersonaConfig, ...]

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
        workers_socket = self.temporary / names.WORKER_SOCKET
        command = [sys.executable, "-m", "botyard.cli.main", "worker-host", "--socket", str(workers_socket)]
        async with contextlib.AsyncExitStack() as stack:
            host = await stack.enter_async_context(Child(command, lambda line: print(readable(line), file=sys.stderr)))
            url = redis_url if redis_url else await stack.enter_async_context(embedded_redis(self.temporary))
            redis = connect(url, max_connections=1024)
            stack.push_async_callback(redis.aclose)
            await _check(redis, url)
            table = RoutingTable()
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"

            def report(ready: bool, message: str) -> None:
                table.replace(Routes(routes=(self._route(ready=ready, message=message),)))
                if ready:
                    name = self.bot.name
                    log.info("%s answers at %s/ and to: botyard chat %s %s", name, address, address, name)

            report(False, "the bot is being loaded; it answers in a moment")
            gateway = Gateway.on(
                redis, table, authenticator=Nobody(), authorizer=Everything(), rate=0, hosts=LOCAL_HOSTS
            )
            server = GatewayServer(gateway, ServerSettings(drain_timeout=5), own_signals=False)
            replica = Replica(
                redis,
                self.mounts,
                bundle=self.folder,
                socket=workers_socket,
                report=report,
                # With a Redis of our own nothing is left for anybody to go on with.
                last_drain=DRAIN_SECONDS if redis_url else LAST_DRAIN_SECONDS,
            )
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            running = asyncio.create_task(replica.run(stop))
            ended = asyncio.create_task(host.wait())
            try:
                await asyncio.wait({serving, running, ended}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done() and not stop.is_set():
                    raise CommandError(f"dev: the worker host ended with exit code {ended.result()}; see the log above")
            finally:
                log.info("stopping; Ctrl-C once more ends everything at once")
                ending.begin()
                server.stop()
                ended.cancel()
                results = await asyncio.gather(serving, running, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    def _route(self, *, ready: bool, message: str) -> Route:
        try:
            model = detect(self.folder)
        except LoadError:
            model = "auto"
        return Route(
            namespace=self.bot.namespace,
            name=self.bot.name,
            model=model,
            default=True,
            ready=ready,
            reason="" if ready else "Loading",
            message=message,
            partitions=self.bot.partitions,
            max_input_bytes=self.bot.limits.max_input_bytes,
            personas=tuple(persona.name for persona in self.personas),
        )


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
