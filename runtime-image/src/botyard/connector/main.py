"""The connector as a process."""

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from aiohttp import web
from redis.asyncio import Redis

from botyard.connector import server
from botyard.connector.problems import Notice
from botyard.connector.reporting import Metrics, Report
from botyard.connector.settings import Source, load
from botyard.connector.source import SourceReader
from botyard.connector.writing import CHANGES_PER_EVENT, Writer
from botyard.contract import names
from botyard.core import acknowledgement
from botyard.core.activity import Activity
from botyard.core.connection import connect
from botyard.core.inbox import MAX_PENDING
from botyard.core.leases import LEASE_MS
from botyard.gateway.route_sources import FileRoutes
from botyard.gateway.routes import RoutingTable
from botyard.gateway.waking import Waker

log = logging.getLogger("botyard.connector")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a connector process needs to know."""

    redis_url: str
    sources: tuple[Source, ...]
    addresses: Path
    """Folder with a file for each source, which holds its database's address."""
    routes_file: Path | None
    system_namespace: str
    kubeconfig: Path | None
    host: str
    port: int
    per_event: int = CHANGES_PER_EVENT
    max_pending: int = MAX_PENDING
    lease_ms: int = LEASE_MS


def run(argv: Sequence[str] | None = None) -> int:
    """Run `botyard connector` until it is told to stop.

    Raises:
        ValueError: The options or the environment do not allow it to start; the message says what to do.
    """
    uvloop.run(serve(_settings(argv)))
    return 0


async def serve(settings: Settings) -> None:
    """Read all sources until a signal comes.

    Raises:
        ValueError: Redis cannot do what its URL asks for, or Kubernetes cannot be reached.
    """
    table = RoutingTable()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        redis = connect(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        if settings.routes_file is not None:
            follow = FileRoutes(settings.routes_file).run(table)
        else:
            # Only here: the client of Kubernetes takes most of the start, and elsewhere a file has the table.
            from botyard.gateway.config_map_routes import ConfigMapRoutes
            from botyard.gateway.kubernetes_client import open_client

            client = await stack.enter_async_context(open_client(settings.kubeconfig))
            follow = ConfigMapRoutes(client, settings.system_namespace).run(table)
        metrics = Metrics()
        readers = [_reader(redis, table, settings, source, metrics) for source in settings.sources]
        reports = [report for _, report in readers]
        runner = web.AppRunner(server.application(reports, metrics, lambda: table.loaded), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, settings.host, settings.port).start()
        tasks = [asyncio.create_task(follow, name="routes"), acknowledgement.confirming(redis, otherwise=stop.set)]
        tasks += [asyncio.create_task(_when_loaded(table, reader)) for reader, _ in readers]
        for task in tasks:
            task.add_done_callback(lambda done: _ended(done, stop))
        try:
            await stop.wait()
            if problem := acknowledgement.unsuited(tasks[1]):
                raise problem
            for task in tasks:
                if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                    raise error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _when_loaded(table: RoutingTable, reader: SourceReader) -> None:
    """Read once it is known who wants what: before, everything would be for nobody."""
    while not table.loaded:  # noqa: ASYNC110 - its source tells nobody
        await asyncio.sleep(0.1)
    await reader.run()


def _ended(task: "asyncio.Task[None]", stop: asyncio.Event) -> None:
    # A bug: the process ends, and another one goes on.
    if not task.cancelled() and task.exception() is not None:
        log.critical("%s ended", task.get_name(), exc_info=task.exception())
        stop.set()


def _reader(
    redis: Redis, table: RoutingTable, settings: Settings, source: Source, metrics: Metrics
) -> tuple[SourceReader, Report]:
    report = Report(source.name, metrics)

    def told(notice: Notice | None) -> None:
        if notice != report.waits:
            report.waits = notice
            report.show()

    writer = Writer(
        redis,
        f"{source.namespace}/{source.name}",
        plan=lambda: table.subscriptions(source.namespace),
        woken=Waker(Activity(redis)).need,
        told=told,
        per_event=settings.per_event,
        max_pending=settings.max_pending,
    )
    name = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    reader = SourceReader(
        redis, source, addresses=settings.addresses, writer=writer, report=report, name=name, lease_ms=settings.lease_ms
    )
    return reader, report


def _settings(argv: Sequence[str] | None) -> Settings:
    env = os.environ.get
    parser = argparse.ArgumentParser(
        prog="botyard connector", description="Bring changes of PostgreSQL databases to the Personas that subscribed."
    )
    parser.add_argument("--redis", default=env("BOTYARD_REDIS_URL"), metavar="URL", help="Redis, redis://…")
    parser.add_argument(
        "--redis-file", type=Path, default=env("BOTYARD_REDIS_URL_FILE"), metavar="FILE", help="file that holds it"
    )
    parser.add_argument(
        "--sources", type=Path, default=env("BOTYARD_SOURCES_FILE"), metavar="FILE", help="sources, YAML (docs)"
    )
    parser.add_argument(
        "--addresses",
        type=Path,
        default=env("BOTYARD_ADDRESSES_DIR"),
        metavar="FOLDER",
        help="folder with a file for each source, named like it, that holds postgresql://user:password@host/database",
    )
    parser.add_argument(
        "--routes", type=Path, default=env("BOTYARD_ROUTES_FILE"), metavar="FILE",
        help="routing table as a file; without it the ConfigMap botyard-routes is watched",
    )  # fmt: skip
    parser.add_argument(
        "--namespace", default=env("BOTYARD_NAMESPACE", "botyard-system"), help="namespace of that ConfigMap"
    )
    parser.add_argument("--kubeconfig", type=Path, default=None, metavar="FILE", help="outside of a cluster")
    parser.add_argument("--host", default=env("BOTYARD_HOST", "0.0.0.0"), help="address of the probes (%(default)s)")  # noqa: S104
    parser.add_argument("--port", type=int, default=int(env("BOTYARD_PORT", str(names.CONNECTOR_PORT))))
    parser.add_argument(
        "--changes-per-event", type=int, default=int(env("BOTYARD_CHANGES_PER_EVENT", str(CHANGES_PER_EVENT)))
    )
    parser.add_argument("--max-pending", type=int, default=int(env("BOTYARD_MAX_PENDING", str(MAX_PENDING))))
    parser.add_argument("--lease", type=float, default=LEASE_MS / 1000, metavar="SECONDS", help="(%(default)s)")
    args = parser.parse_args(argv)
    redis_url = args.redis
    if args.redis_file is not None:
        try:
            redis_url = Path(args.redis_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"--redis-file {args.redis_file}: {error.strerror}") from None
    if not redis_url:
        raise ValueError("say where Redis is: --redis URL or --redis-file FILE")
    if args.sources is None or args.addresses is None:
        raise ValueError("say what to read: --sources FILE and --addresses FOLDER")
    if not 1 <= args.changes_per_event <= 1000:
        raise ValueError("--changes-per-event must be 1 to 1000")
    return Settings(
        redis_url=redis_url,
        sources=load(Path(args.sources)).sources,
        addresses=Path(args.addresses),
        routes_file=args.routes and Path(args.routes),
        system_namespace=args.namespace,
        kubeconfig=args.kubeconfig,
        host=args.host,
        port=args.port,
        per_event=args.changes_per_event,
        max_pending=args.max_pending,
        lease_ms=int(args.lease * 1000),
    )
