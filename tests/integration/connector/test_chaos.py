"""Changes on their way while connectors, Redis and replicas are killed: none lost, none accepted twice, rows in order.

BOTYARD_CHAOS_CHANGES sets how many changes (default 600), BOTYARD_CHAOS_SEED repeats a run's choices.
"""

import asyncio
import os
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botyard.contract.erp import Subscription
from botyard.contract.persona import PersonaConfig
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from tests.integration.connector import shop as shops
from tests.integration.connector.postgres import PostgresServer
from tests.integration.connector.shop import Shop
from tests.integration.redis.server import RedisServer, running_redis
from tests.integration.runtime.chaos import LEASE_MS, SEED, Chaos
from tests.integration.runtime.replica import Bot, Replica

CHANGES = int(os.environ.get("BOTYARD_CHAOS_CHANGES", "600"))
ROWS = 20
DURATION = max(8.0, CHANGES / 60)
"""Seconds over which rows change."""
TIMEOUT = 180 + 3 * DURATION
CODE = """
import asyncio
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown
from botyard.loop import effects


async def main_loop(fclient, rcx):
    @rcx.on_erp_change("crm_contact")
    async def on_contact(action, new_record, old_record):
        # In one write, as its process may be killed; the key is that of the accepted event.
        with open("FOLDER/" + rcx.persona.persona_id, "a") as out:
            out.write(f"{new_record.contact_id} {new_record.notes} {effects.current().key}\\n")

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient(ckit_client.bot_service_name("clerk", "1.0.0")), marketable_name="clerk",
        marketable_version_str="1.0.0", bot_main_loop=main_loop, inprocess_tools=[],
        subscribe_to_erp_tables=["crm_contact"]))
"""


class ErpChaos(Chaos):
    """Harms the way of changes, too."""

    def __init__(self, bot: Bot, server: RedisServer, rng: random.Random, shop: Shop) -> None:
        super().__init__(bot, server, rng)
        self.shop = shop

    async def run(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await asyncio.sleep(self.rng.uniform(0.3, 1.5))
            harm = self.rng.choices(
                [self.kill_connector, self.cut_stream, self.kill_replica, self.kill_worker, self.kill_redis],
                weights=[4, 2, 2, 2, 2],
            )[0]
            await harm(self.rng.choice(self.bot.replicas))
            self.done[harm.__name__] += 1
        await asyncio.gather(*self.resumes)

    async def kill_connector(self, _: Replica) -> None:
        victim = self.rng.choice(self.shop.processes)
        victim.kill()
        self.shop.processes.remove(victim)
        self.shop.spawn(lease=1.5)

    async def cut_stream(self, _: Replica) -> None:
        await asyncio.to_thread(
            self.shop.run,
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL AND "
            "database = current_database()",
        )


@pytest.fixture
async def world(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Bot, RedisServer, Shop]]:
    (tmp_path / "out").mkdir()
    address = BotAddress("shop", "clerk", 4)
    monkeypatch.setattr(shops, "BOT", address)
    postgres.make_database("chaos")
    with running_redis(appendfsync="always") as server:
        redis = connect(server.url)
        bot = Bot(
            redis, server.url, tmp_path / "bot", code=CODE.replace("FOLDER", str(tmp_path / "out")),
            programming_model="loop", personas=(PersonaConfig(name="nora"), PersonaConfig(name="oslo")),
            address=address, lease_ms=LEASE_MS,
        )  # fmt: skip
        shop = Shop(postgres, "chaos", redis, server.url, tmp_path / "shop")
        shop.run(shops.CONTACTS)
        shop.subscriptions = (
            Subscription(table="crm_contact", personas=("nora",)),
            Subscription(table="crm_contact", where=("contact_country:=:even",), personas=("oslo",)),
        )
        yield bot, server, shop
        await shop.end()
        bot.stop()
        await redis.aclose()
    postgres.drop_database("chaos")


@pytest.mark.timeout(TIMEOUT + 240)
async def test_nothing_is_lost_doubled_or_reordered(world: tuple[Bot, RedisServer, Shop], tmp_path: Path) -> None:
    bot, server, shop = world
    rng = random.Random(SEED)
    print(f"BOTYARD_CHAOS_SEED={SEED} BOTYARD_CHAOS_CHANGES={CHANGES}")
    await bot.start(2)
    shop.spawn(lease=1.5)
    shop.spawn(lease=1.5)
    await shop.until(
        lambda: shop.run("SELECT 1 FROM pg_replication_slots WHERE active AND database = current_database()")
    )
    shop.run(
        "INSERT INTO crm_contact (contact_id, contact_country, notes) SELECT n, CASE WHEN n % 2 = 0 THEN 'even' "
        f"ELSE 'odd' END, '0' FROM generate_series(0, {ROWS - 1}) n"
    )
    chaos, enough = ErpChaos(bot, server, rng, shop), asyncio.Event()
    harming = asyncio.create_task(chaos.run(enough))
    began = time.monotonic()
    versions = CHANGES // ROWS
    for version in range(1, versions):
        await asyncio.to_thread(shop.run, f"UPDATE crm_contact SET notes = '{version}'")
        await asyncio.sleep(rng.random() * 2 * DURATION / versions)
    enough.set()
    await harming
    wanted = {
        "nora": {(str(row), str(version)) for row in range(ROWS) for version in range(versions)},
        "oslo": {(str(row), str(version)) for row in range(0, ROWS, 2) for version in range(versions)},
    }

    def heard(persona: str) -> list[tuple[str, str, str]]:
        file = tmp_path / "out" / persona
        lines = file.read_text().splitlines() if file.exists() else []
        return [(row, version, event) for row, version, event in (line.split() for line in lines)]

    async with asyncio.timeout(TIMEOUT):
        while any({(row, version) for row, version, _ in heard(name)} < all_of for name, all_of in wanted.items()):
            await asyncio.sleep(0.1)
        while await bot.inbox.pending(bot.address):
            await asyncio.sleep(0.1)
    repeats = 0
    for name, all_of in wanted.items():
        events: dict[tuple[str, str], set[str]] = defaultdict(set)
        first: dict[str, list[int]] = defaultdict(list)
        for row, version, event in heard(name):
            repeats += bool(events[row, version])
            if not events[row, version]:
                first[row].append(int(version))
            events[row, version].add(event)
        assert events.keys() == all_of, f"seed {SEED}"
        # A handler may see a change again whose turn did not commit; it is the same event then.
        assert all(len(each) == 1 for each in events.values()), f"seed {SEED}"
        assert all(seen == list(range(versions)) for seen in first.values()), f"seed {SEED}"
    print(f"{CHANGES} changes in {time.monotonic() - began:.0f} s, seen again: {repeats}; {dict(chaos.done)}")
