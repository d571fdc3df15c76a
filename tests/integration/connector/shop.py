"""A shop: a database whose rows change, Personas that subscribed, and connectors between them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis

from botyard.connector.reporting import Metrics, Report
from botyard.connector.settings import Source
from botyard.connector.source import SourceReader
from botyard.connector.writing import Writer
from botyard.contract.erp import Subscription
from botyard.contract.routes import Route, Routes
from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.erp.routing import RoutingPlan
from tests.integration.connector.postgres import PostgresServer, free_port

BOT = BotAddress("shop", "clerk", 4)
CONTACTS = """
CREATE TABLE crm_contact (contact_id text PRIMARY KEY, contact_first_name text, contact_country text,
  contact_archived_ts float8 NOT NULL DEFAULT 0, notes text);
ALTER TABLE crm_contact REPLICA IDENTITY FULL;
"""
ALL = Subscription(table="*", personas=("nora",))
WAIT = 150.0


class Shop:
    """One database of a server, and what follows it."""

    def __init__(self, server: PostgresServer, database: str, redis: Redis, redis_url: str, folder: Path) -> None:
        self.server = server
        self.database = database
        self.redis = redis
        self.redis_url = redis_url
        self.folder = folder
        self.source = Source(name=database.replace("_", "-"), namespace="shop", tables=("crm_contact",))
        self.subscriptions: tuple[Subscription, ...] = (ALL,)
        self.max_pending = 10_000
        self.reports: list[Report] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.processes: list[Connector] = []
        (folder / "addresses").mkdir(parents=True)
        self.write_address()

    def write_address(self, user: str = "shop") -> None:
        (self.folder / "addresses" / self.source.name).write_text(self.server.address(self.database, user))

    def run(self, *statements: str, user: str = "shop") -> list[tuple[Any, ...]]:
        return self.server.run(*statements, database=self.database, user=user)

    def change(self, **fields: Any) -> None:
        """Declare the source otherwise."""
        self.source = self.source.model_copy(update=fields)

    @property
    def route(self) -> Route:
        return Route(
            namespace=BOT.namespace, name=BOT.name, partitions=BOT.partitions, subscriptions=self.subscriptions
        )

    def start(self, *, lease_ms: int = 2000) -> Report:
        """Begin to read, in this process."""
        report = Report(self.source.name, Metrics())

        def told(notice: Any) -> None:
            report.waits = notice

        async def woken(route: Route) -> None:
            pass

        writer = Writer(
            self.redis, f"shop/{self.source.name}", plan=lambda: RoutingPlan([self.route]), woken=woken, told=told,
            max_pending=self.max_pending,
        )  # fmt: skip
        reader = SourceReader(
            self.redis, self.source, addresses=self.folder / "addresses", writer=writer, report=report,
            name=f"reader-{len(self.reports)}", lease_ms=lease_ms, check_every=0.2,
        )  # fmt: skip
        self.reports.append(report)
        self._tasks.append(asyncio.create_task(reader.run()))
        return report

    async def follow(self) -> Report:
        """Begin to read, and return when it does."""
        report = self.start()
        await self.until(lambda: report.state == "streaming")
        return report

    async def stop(self) -> None:
        """End the readers, as a rollout does."""
        for task in self._tasks:
            task.cancel()
        for done in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(done, Exception):
                raise done
        self._tasks.clear()

    def spawn(self, *, lease: float = 2.0) -> "Connector":
        """Begin to read in a process of its own."""
        process = Connector(self, lease)
        self.processes.append(process)
        return process

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something holds."""
        try:
            async with asyncio.timeout(WAIT):
                while True:
                    answer = holds()
                    if asyncio.iscoroutine(answer):
                        answer = await answer
                    if answer:
                        return
                    for task in self._tasks:
                        if task.done():
                            task.result()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{[report.document() for report in self.reports]} {await self.changes()}"[:3000])

    async def until_reason(self, report: Report, reason: str) -> str:
        """Return the message of a problem once it is told."""

        def found() -> list[str]:
            said = [report.failure, report.waits, *report.notices]
            return [each.message for each in said if each is not None and each.reason == reason]

        await self.until(found)
        return found()[0]

    async def changes(self, persona: str = "nora") -> list[dict[str, Any]]:
        """Every change that waits for a Persona, in its order."""
        found: list[dict[str, Any]] = []
        key = f":{persona}"
        for _, fields in await self.redis.xrange(keys.inbox(BOT.partition(key))):
            if fields[b"key"].decode() == key:
                found += json.loads(fields[b"payload"])["changes"]
        return found

    async def until_changes(self, count: int, persona: str = "nora") -> list[dict[str, Any]]:
        """Return the changes that wait for a Persona once there are so many."""
        found: list[dict[str, Any]] = []

        async def enough() -> bool:
            nonlocal found
            found = await self.changes(persona)
            return len(found) >= count

        await self.until(enough)
        assert len(found) == count, found[:20]
        return found

    async def end(self) -> None:
        for process in self.processes:
            process.kill()
        await self.stop()


class Connector:
    """`botyard connector` as a pod runs it."""

    def __init__(self, shop: Shop, lease: float) -> None:
        self.folder = shop.folder
        self.port = free_port()
        (shop.folder / "sources.yaml").write_text(yaml.safe_dump({"sources": [shop.source.model_dump(mode="json")]}))
        (shop.folder / "routes.json").write_text(Routes(routes=(shop.route,)).to_json())
        self._command: Sequence[str] = [
            sys.executable, "-m", "botyard.cli.main", "connector", "--redis", shop.redis_url,
            "--sources", str(shop.folder / "sources.yaml"), "--addresses", str(shop.folder / "addresses"),
            "--routes", str(shop.folder / "routes.json"), "--host", "127.0.0.1", "--port", str(self.port),
            "--lease", str(lease),
        ]  # fmt: skip
        self.log = shop.folder / f"connector-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env={**os.environ})

    def kill(self) -> None:
        """End it as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
