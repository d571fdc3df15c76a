"""Changed rows on their way from PostgreSQL to handlers, beside what `pg_recvlogical` sees of them in the same run.

    python -m benchmarks.erp [--rates 500,5000] [--seconds 20] [--personas 8] [--json FILE]

One PostgreSQL, one Redis (`appendfsync everysec`), one connector process, one replica (supervisor, worker host, worker)
whose Personas follow a table, each a part of it by a filter. Rows are inserted at a fixed rate, in transactions of a
hundredth of a second; each row has a number. pg_recvlogical reads the same rows from a slot of its own with the same
plugin; its time is when its output is read, a handler's when the handler is called. What the connector's path costs is
the difference of the two for the same row. Besides: how long one change takes to be stored for 1,000 Personas.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from redis.asyncio import Redis

from botyard.connector.transactions import Placed, place
from botyard.connector.writing import Writer
from botyard.contract.erp import Subscription
from botyard.contract.persona import PersonaConfig
from botyard.contract.routes import Route
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.erp.changes import Change
from botyard.erp.routing import RoutingPlan
from tests.integration.connector import shop as shops
from tests.integration.connector.postgres import PostgresServer, running_postgres
from tests.integration.loop.servers.postgres import program
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot

CODE = """
import asyncio, time
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown


async def main_loop(fclient, rcx):
    out = open("FOLDER/" + rcx.persona.persona_id, "a", buffering=1 << 20)

    @rcx.on_erp_change("crm_contact")
    async def on_contact(action, new_record, old_record):
        out.write(f"{new_record.contact_id} {time.time()}\\n")

    async def flush():
        while True:
            out.flush()
            await asyncio.sleep(0.5)

    flushing = asyncio.create_task(flush())
    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient(ckit_client.bot_service_name("clerk", "1.0.0")), marketable_name="clerk",
        marketable_version_str="1.0.0", bot_main_loop=main_loop, inprocess_tools=[],
        subscribe_to_erp_tables=["crm_contact"]))
"""
TICK = 0.01
"""Seconds between transactions."""
PERSONAS_OF_ONE_CHANGE = 1000
MARK = re.compile(rb"m(\d{9})e")


class Receiver:
    """pg_recvlogical on a slot of its own."""

    def __init__(self, server: PostgresServer, publication: str) -> None:
        self.seen: dict[int, float] = {}
        slot = ["--slot=beside", "-d", server.address()]
        subprocess.run([program("pg_recvlogical"), *slot, "--create-slot", "-P", "pgoutput"], check=True)
        options = ["-o", "proto_version=1", "-o", f"publication_names={publication}", "-f", "-", "-F", "0"]
        self._process = subprocess.Popen(
            [program("pg_recvlogical"), *slot, "--start", "--no-loop", *options], stdout=subprocess.PIPE
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while data := self._process.stdout.read1(1 << 16):
            now = time.time()
            rest += data
            end = 0
            for found in MARK.finditer(rest):
                self.seen[int(found.group(1))] = now
                end = found.end()
            rest = rest[end:][-32:] if end or len(rest) > 64 else rest

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def insert(server: PostgresServer, rate: int, seconds: float, first: int, late: list[float]) -> int:
    """Insert rows at a rate; return the number behind the last one.

    Args:
        server: Where.
        rate: Rows a second.
        seconds: How long.
        first: Number of the first row.
        late: Is told how late each transaction began.
    """
    connection = psycopg2.connect(server.address())
    connection.autocommit = True
    number, began = first, time.time()
    with connection.cursor() as cursor:
        for tick in range(int(seconds / TICK)):
            due = began + tick * TICK
            if (now := time.time()) < due:
                time.sleep(due - now)
            late.append(max(0.0, time.time() - due))
            last = first + int((tick + 1) * TICK * rate)
            if last > number:
                cursor.execute(
                    "INSERT INTO crm_contact (contact_id, contact_country, notes) SELECT n, n %% %s, "
                    "'m' || lpad(n::text, 9, '0') || 'e' FROM generate_series(%s, %s) n",
                    (PERSONAS, number, last - 1),
                )
            number = last
    connection.close()
    return number


PERSONAS = 8


def quantiles(values: list[float]) -> dict[str, float]:
    """Return p50, p99 and the largest, in milliseconds."""
    if len(values) < 2:
        return {}
    cut = statistics.quantiles(values, n=100)
    return {"p50": round(cut[49] * 1000, 1), "p99": round(cut[98] * 1000, 1), "max": round(max(values) * 1000, 1)}


def processor(pids: Mapping[str, list[int]]) -> dict[str, float]:
    """Return the processor time of processes and their children, in seconds."""
    tick = os.sysconf("SC_CLK_TCK")
    taken = {}
    for name, roots in pids.items():
        total, todo = 0, list(roots)
        while todo:
            pid = todo.pop()
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
                todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        taken[name] = total / tick
    return taken


async def one_rate(
    server: PostgresServer,
    receiver: Receiver,
    folder: Path,
    pids: Mapping[str, list[int]],
    *,
    rate: int,
    seconds: float,
    first: int,
) -> tuple[dict[str, Any], int]:
    """Return the figures of one rate, and the next row's number."""
    late: list[float] = []
    before = processor(pids)
    began = time.time()
    end = await asyncio.to_thread(insert, server, rate, seconds, first, late)
    inserted = time.time() - began
    handled = await until_handled(folder, first, end)
    took = max(handled.values()) - began
    after = processor(pids)
    beyond = [handled[n] - receiver.seen[n] for n in range(first, end) if n in receiver.seen]
    # The first second warms caches up on both sides.
    steady = [handled[n] - receiver.seen[n] for n in range(first + rate, end) if n in receiver.seen]
    return {
        "rate": rate,
        "rows": end - first,
        "inserted_a_second": round((end - first) / inserted),
        "handled_a_second": round((end - first) / took),
        "inserts_late_ms": quantiles(late),
        "over_pg_recvlogical_ms": quantiles(steady or beyond),
        "seen_by_pg_recvlogical": len(beyond),
        "processor_us_a_row": {name: round((after[name] - before[name]) / (end - first) * 1_000_000) for name in pids},
        "handled_once": len(handled) == end - first,
    }, end


async def until_handled(folder: Path, first: int, end: int) -> dict[int, float]:
    """Return when each row was handled, once all were."""
    deadline = time.time() + 180
    while True:
        found: dict[int, float] = {}
        lines = 0
        for file in folder.iterdir():
            for line in file.read_text().splitlines():
                number, at = line.split()
                if int(number) >= first:
                    found[int(number)] = float(at)
                    lines += 1
        if len(found) >= end - first:
            if lines != len(found):
                raise RuntimeError(f"{lines - len(found)} rows were handled twice")
            return found
        if time.time() > deadline:
            raise RuntimeError(f"{len(found)} of {end - first} rows were handled")
        await asyncio.sleep(0.5)


async def to_many(redis: Redis) -> dict[str, float]:
    """Return how long one change takes to be stored for many Personas."""
    await redis.flushall()
    personas = tuple(f"p{number}" for number in range(PERSONAS_OF_ONE_CHANGE))
    route = Route(
        namespace="shop", name="many", partitions=16,
        subscriptions=(Subscription(table="crm_contact", where=("contact_country:=:DE",), personas=personas),),
    )  # fmt: skip
    plan = RoutingPlan([route])

    async def woken(route: Route) -> None:
        pass

    writer = Writer(redis, "shop/many", plan=lambda: plan, woken=woken, told=lambda notice: None)
    taken, spent = [], []
    for number in range(110):
        change = Change.model_construct(
            action="INSERT", new={"contact_id": str(number), "contact_country": "DE", "notes": "x" * 200}, old=None
        )
        busy = await _busy(redis)
        began = time.perf_counter()
        await writer.write([Placed("crm_contact", change, place(1, number + 1, 0), 0)])
        taken.append(time.perf_counter() - began)
        spent.append(await _busy(redis) - busy)
    assert writer.sums.deliveries == 110 * PERSONAS_OF_ONE_CHANGE
    return {**quantiles(taken[10:]), "processor_p50": quantiles(spent[10:])["p50"]}


async def _busy(redis: Redis) -> float:
    """Return the processor time of this process and of Redis, in seconds."""
    about = await redis.info("cpu")
    return time.process_time() + about["used_cpu_user"] + about["used_cpu_sys"]


async def measure(rates: list[int], seconds: float) -> dict[str, Any]:
    """Return the figures of one run."""
    figures: dict[str, Any] = {"load": [round(each, 1) for each in _load()], "personas": PERSONAS, "rates": []}
    with (
        tempfile.TemporaryDirectory() as name,
        running_redis(appendfsync="everysec") as redis_server,
        running_postgres() as server,
    ):
        folder = Path(name)
        (out := folder / "out").mkdir()
        redis = connect(redis_server.url)
        figures["one_change_to_1000_personas_ms"] = await to_many(redis)
        await redis.flushall()
        personas = [f"p{number}" for number in range(PERSONAS)]
        bot = Bot(
            redis, redis_server.url, folder / "bot", code=CODE.replace("FOLDER", str(out)), programming_model="loop",
            personas=tuple(PersonaConfig(name=persona) for persona in personas),
            address=BotAddress("shop", "clerk", 8),
        )  # fmt: skip
        shop = shops.Shop(server, "postgres", redis, redis_server.url, folder / "shop")
        receiver: Receiver | None = None
        try:
            shop.run(shops.CONTACTS)
            shop.subscriptions = tuple(
                Subscription(table="crm_contact", where=(f"contact_country:=:{number}",), personas=(persona,))
                for number, persona in enumerate(personas)
            )
            shops.BOT = bot.address
            await bot.start()
            shop.spawn()
            await shop.until(
                lambda: shop.run("SELECT 1 FROM pg_replication_slots WHERE active AND slot_name LIKE 'botyard%'")
            )
            receiver = Receiver(server, shop.source.own_publication)
            pids = {
                "connector": [each.process.pid for each in shop.processes],
                "supervisor": [bot.replicas[0].supervisor.pid],
                "workers": [bot.replicas[0].host.pid],
                "redis": [redis_server.pid],
                "postgres": [server.pid],
            }
            _, first = await one_rate(server, receiver, out, pids, rate=200, seconds=5, first=1)
            for rate in rates:
                found, first = await one_rate(server, receiver, out, pids, rate=rate, seconds=seconds, first=first)
                found["load"] = round(_load()[0], 1)
                figures["rates"].append(found)
        finally:
            if receiver is not None:
                receiver.stop()
            await shop.end()
            bot.stop()
            await redis.aclose()
    return figures


def _load() -> tuple[float, float, float]:
    return os.getloadavg()


def table(figures: dict[str, Any]) -> str:
    """Return the figures for docs/performance.md."""
    lines = ["| Rows/s | Handled/s | over pg_recvlogical p50 | p99 | Load |", "|---|---|---|---|---|"]
    for each in figures["rates"]:
        over = each["over_pg_recvlogical_ms"]
        lines.append(
            f"| {each['rate']:,} | {each['handled_a_second']:,} | {over.get('p50')} ms | {over.get('p99')} ms | "
            f"{each['load']} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", default="500,2000,5000")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    figures = asyncio.run(measure([int(rate) for rate in args.rates.split(",")], args.seconds))
    print(json.dumps(figures, indent=2))
    print(table(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
