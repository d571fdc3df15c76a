"""What has to be there before rows are followed, what is made, and what is told where it is missing."""

import asyncio
import json
from collections.abc import Iterator

import psycopg2
import pytest

from botyard.core import keys
from tests.integration.connector.postgres import LOGICAL, PostgresServer, running_postgres
from tests.integration.connector.shop import BOT, CONTACTS, Shop

ANNA = "INSERT INTO crm_contact VALUES ('1', 'Anna', 'DE')"


async def restarted(shop: Shop) -> None:
    await shop.stop()
    await shop.follow()


async def test_slot_and_publication_are_made_once(shop: Shop) -> None:
    await shop.follow()
    made = shop.run("SELECT slot_name, plugin, temporary FROM pg_replication_slots WHERE database = current_database()")
    await restarted(shop)
    assert made == [(shop.source.slot, "pgoutput", False)]
    [(tables,)] = shop.run("SELECT array_agg(tablename::text) FROM pg_publication_tables")
    assert tables == ["crm_contact"]


async def test_tables_that_are_declared_later_are_followed(shop: Shop) -> None:
    await shop.follow()
    await shop.stop()
    shop.run("CREATE TABLE our_own (id int PRIMARY KEY)")
    shop.change(tables=("crm_contact", "public.our_own"))
    await shop.follow()
    shop.run("INSERT INTO our_own VALUES (1)")
    assert [each["table"] for each in await shop.until_changes(1)] == ["our_own"]


async def test_a_missing_table_is_told_the_others_are_followed_and_it_is_once_it_is_there(shop: Shop) -> None:
    shop.change(tables=("crm_contact", "later"))
    report = await shop.follow()
    assert "public.later" in await shop.until_reason(report, "TableMissing")
    shop.run(ANNA)
    await shop.until_changes(1)
    shop.run("CREATE TABLE later (id int PRIMARY KEY)")
    await shop.until(lambda: not any(notice.reason == "TableMissing" for notice in report.notices))
    await shop.until(lambda: report.state == "streaming")
    shop.run("INSERT INTO later VALUES (1)")
    await shop.until_changes(2)


async def test_a_table_without_a_key_is_left_out_because_publishing_it_would_break_it(shop: Shop) -> None:
    shop.run("CREATE TABLE log (line text)", "INSERT INTO log VALUES ('a')")
    shop.change(tables=("crm_contact", "log"))
    report = await shop.follow()
    assert "public.log" in await shop.until_reason(report, "NoReplicaIdentity")
    shop.run("UPDATE log SET line = 'b'")


async def test_a_slot_that_somebody_else_made_is_not_taken(shop: Shop) -> None:
    make = f"SELECT pg_create_logical_replication_slot('{shop.source.slot}', '%s')"
    shop.run(make % "test_decoding")
    report = shop.start()
    assert "pg_drop_replication_slot" in await shop.until_reason(report, "SlotForeign")
    await shop.stop()
    shop.run(f"SELECT pg_drop_replication_slot('{shop.source.slot}')", make % "pgoutput")
    report = shop.start()
    await shop.until_reason(report, "SlotForeign")
    await shop.stop()
    shop.change(adopt=True)
    await shop.follow()
    shop.run(ANNA)
    await shop.until_changes(1)


async def test_a_publication_of_our_name_that_is_not_ours_is_not_touched(shop: Shop) -> None:
    shop.run(f"CREATE PUBLICATION {shop.source.own_publication} FOR ALL TABLES")
    report = shop.start()
    assert shop.source.own_publication in await shop.until_reason(report, "PublicationForeign")
    await shop.stop()
    shop.change(publication=shop.source.own_publication)
    await shop.follow()


async def test_a_publication_of_somebody_else_s_is_used_as_it_is(shop: Shop) -> None:
    shop.run("CREATE TABLE other (id int PRIMARY KEY)", "CREATE PUBLICATION theirs FOR TABLE crm_contact")
    shop.change(publication="theirs", tables=("crm_contact", "other"))
    report = await shop.follow()
    assert "ALTER PUBLICATION theirs ADD TABLE" in await shop.until_reason(report, "PublicationIncomplete")
    shop.run(ANNA)
    await shop.until_changes(1)


async def test_missing_privileges_are_told_with_what_to_do(shop: Shop) -> None:
    role = f"role_{shop.database}"
    try:
        shop.run(f"CREATE ROLE {role} LOGIN")
        shop.write_address(role)
        report = shop.start()
        assert "CREATE PUBLICATION" in await shop.until_reason(report, "MissingPrivileges")
        await shop.stop()
        shop.run("CREATE PUBLICATION theirs FOR TABLE crm_contact")
        shop.change(publication="theirs")
        report = shop.start()
        await shop.until(lambda: report.failure is not None and "REPLICATION" in report.failure.message)
        assert report.failure is not None
        assert report.failure.reason == "MissingPrivileges"
        shop.run(f"ALTER ROLE {role} REPLICATION")
        await shop.until(lambda: report.state == "streaming")
        # Only snapshots need to read tables.
        assert "GRANT SELECT" in await shop.until_reason(report, "MissingPrivileges")
        shop.run(ANNA)
        await shop.until_changes(1)
    finally:
        await shop.stop()
        shop.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_database_that_is_not_there_is_told_without_the_password(shop: Shop) -> None:
    shop.source = shop.source.model_copy(update={"name": "nowhere"})
    shop.database = "nowhere"
    (shop.folder / "addresses" / "nowhere").write_text("host=127.0.0.1 port=1 user=shop password=secret77")
    report = shop.start()
    message = await shop.until_reason(report, "Unreachable")
    assert "secret77" not in message
    shop.write_address()
    assert "nowhere" in await shop.until_reason(report, "AccessDenied")


async def test_a_dropped_slot_is_told_and_another_one_is_made_when_somebody_asks(shop: Shop) -> None:
    report = await shop.follow()
    shop.run(ANNA)
    await shop.until_changes(1)
    await shop.stop()
    shop.run(f"SELECT pg_drop_replication_slot('{shop.source.slot}')", ANNA.replace("'1'", "'2'"))
    report = shop.start()
    assert "`renew`" in await shop.until_reason(report, "SlotLost")
    assert not report.well
    await shop.stop()
    shop.change(renew="1", snapshot="1")
    await shop.follow()
    shop.run(ANNA.replace("'1'", "'3'"))
    found = await shop.until_changes(4)
    # The snapshot brings every row again, with what happened while nobody listened.
    assert [each["new"]["contact_id"] for each in found] == ["1", "1", "2", "3"]


async def test_a_slot_that_is_dropped_while_it_is_read_is_told(shop: Shop) -> None:
    report = await shop.follow()
    shop.server.run(
        f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{shop.source.slot}'"
    )
    for _ in range(1000):
        try:
            shop.run(f"SELECT pg_drop_replication_slot('{shop.source.slot}')")
            break
        except psycopg2.Error:
            await asyncio.sleep(0.001)
    await shop.until_reason(report, "SlotLost")


async def test_a_server_that_writes_too_little_is_told_what_to_set(shop: Shop) -> None:
    with running_postgres("wal_level=replica") as server:
        shop.server, shop.database = server, "postgres"
        shop.write_address()
        report = shop.start()
        assert "wal_level = logical" in await shop.until_reason(report, "WalLevel")
        await shop.stop()


@pytest.fixture
def narrow() -> Iterator[PostgresServer]:
    with running_postgres(*LOGICAL, "max_slot_wal_keep_size=2MB", "min_wal_size=32MB", "max_wal_size=64MB") as server:
        yield server


async def test_a_slot_that_lags_until_it_is_given_up_is_told(shop: Shop, narrow: PostgresServer) -> None:
    home, shop.server, shop.database = shop.server, narrow, "postgres"
    shop.write_address()
    shop.run(CONTACTS)
    report = await shop.follow()
    await shop.stop()
    for _ in range(6):
        shop.run("INSERT INTO crm_contact SELECT gen_random_uuid(), repeat('x', 1000) FROM generate_series(1, 10000)")
        shop.run("SELECT pg_switch_wal()", "CHECKPOINT")
    report = shop.start()
    assert "`renew`" in await shop.until_reason(report, "SlotLost")
    await shop.stop()
    shop.server = home


async def test_postgres_that_restarts_is_read_on(shop: Shop) -> None:
    with running_postgres() as server:
        home, shop.server, shop.database = shop.server, server, "postgres"
        shop.write_address()
        shop.run(CONTACTS)
        report = await shop.follow()
        shop.run(ANNA)
        await shop.until_changes(1)
        server.stop()
        await shop.until(lambda: report.state == "failing")
        server.start()
        shop.run(ANNA.replace("'1'", "'2'"))
        await shop.until_changes(2)
        await shop.stop()
        shop.server = home


async def test_a_full_inbox_stops_the_reading_and_nothing_is_lost(shop: Shop) -> None:
    shop.max_pending = 3
    report = await shop.follow()
    shop.run("INSERT INTO crm_contact (contact_id) SELECT n FROM generate_series(1, 5000) n")
    shop.run("INSERT INTO crm_contact (contact_id) SELECT n FROM generate_series(5001, 10000) n")
    assert "shop/clerk" in await shop.until_reason(report, "InboxFull")
    assert not report.well
    # Looked at also while nothing is read: PostgreSQL keeps its log meanwhile.
    await shop.until(lambda: report.metrics.lag_bytes.labels(shop.source.name)._value.get() > 0)
    seen: list[str] = []
    inbox = keys.inbox(BOT.partition(":nora"))

    async def taken() -> bool:
        for number, fields in await shop.redis.xrange(inbox):
            seen.extend(each["new"]["contact_id"] for each in json.loads(fields[b"payload"])["changes"])
            await shop.redis.xdel(inbox, number)
        return len(seen) >= 10_000

    await shop.until(taken)
    assert seen == [str(number) for number in range(1, 10_001)]
    await shop.until(lambda: report.well)
