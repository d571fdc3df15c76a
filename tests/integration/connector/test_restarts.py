"""What ends and begins again: connectors, Redis, leases. Each change comes once, in the order of the log."""

import asyncio

from botyard.connector.progress import home
from botyard.core import keys
from tests.integration.connector.shop import Shop


def insert(first: int, last: int) -> str:
    return f"INSERT INTO crm_contact (contact_id) SELECT n FROM generate_series({first}, {last}) n"


async def identifiers(shop: Shop, count: int) -> list[int]:
    return [int(each["new"]["contact_id"]) for each in await shop.until_changes(count)]


async def test_what_happens_while_nobody_reads_comes_afterwards(shop: Shop) -> None:
    await shop.follow()
    await shop.stop()
    shop.run(insert(1, 50), insert(51, 100))
    await shop.follow()
    assert await identifiers(shop, 100) == list(range(1, 101))


async def test_what_postgres_sends_again_is_known_by_its_place(shop: Shop) -> None:
    await shop.follow()
    shop.run(insert(1, 700), "BEGIN; INSERT INTO crm_contact (contact_id) VALUES (701); COMMIT")
    await shop.until_changes(701)
    await shop.stop()
    # A slot that has forgotten what was confirmed, as after a crash of PostgreSQL.
    shop.run("SELECT 1")
    report = await shop.follow()
    shop.run(insert(702, 710))
    assert await identifiers(shop, 710) == list(range(1, 711))
    assert report.well


async def test_a_killed_connector_is_replaced_by_one_that_waits(shop: Shop) -> None:
    first = shop.spawn()
    lease = keys.lease(home(shop.source))

    async def held() -> bool:
        return bool(await shop.redis.hget(lease, "owner"))

    await shop.until(held)
    shop.spawn()
    # The slot is there once one reads.
    await shop.until(
        lambda: shop.run("SELECT 1 FROM pg_replication_slots WHERE active AND database = current_database()")
    )
    shop.run(insert(1, 100))
    await shop.until_changes(100)
    first.kill()
    shop.run(insert(101, 200))
    assert await identifiers(shop, 200) == list(range(1, 201))


async def test_only_one_of_two_readers_reads(shop: Shop) -> None:
    first = await shop.follow()
    second = shop.start()
    await shop.until(lambda: second.state == "standby")
    assert second.well
    shop.run(insert(1, 20))
    assert await identifiers(shop, 20) == list(range(1, 21))
    assert first.state == "streaming"


async def test_while_redis_is_away_nothing_is_confirmed(shop: Shop) -> None:
    await shop.follow()
    shop.run(insert(1, 10))
    await shop.until_changes(10)
    await shop.redis.execute_command("CLIENT", "PAUSE", "1500", "ALL")
    shop.run(insert(11, 20))
    await asyncio.sleep(0)
    assert await identifiers(shop, 20) == list(range(1, 21))
