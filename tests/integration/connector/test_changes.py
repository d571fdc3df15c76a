"""What becomes of rows that change: action, rows before and after, values, order."""

import pytest

from botyard.contract.erp import Subscription
from tests.integration.connector.shop import BOT, Shop

ANNA = "INSERT INTO crm_contact VALUES ('1', 'Anna', 'DE')"


async def test_each_action_comes_with_the_rows_before_and_after(shop: Shop) -> None:
    await shop.follow()
    shop.run(
        ANNA,
        "UPDATE crm_contact SET contact_first_name = 'Ann'",
        "UPDATE crm_contact SET contact_archived_ts = 1700000000",
        "DELETE FROM crm_contact",
    )
    found = await shop.until_changes(4)
    first = {"contact_id": "1", "contact_first_name": "Anna", "contact_country": "DE", "contact_archived_ts": 0.0}
    first["notes"] = None
    second = {**first, "contact_first_name": "Ann"}
    third = {**second, "contact_archived_ts": 1_700_000_000.0}
    assert found == [
        {"table": "crm_contact", "change": "INSERT", "new": first, "old": None},
        {"table": "crm_contact", "change": "UPDATE", "new": second, "old": first},
        {"table": "crm_contact", "change": "ARCHIVE", "new": third, "old": second},
        {"table": "crm_contact", "change": "DELETE", "new": None, "old": third},
    ]


async def test_without_a_full_replica_identity_it_is_told_what_is_not_known(shop: Shop) -> None:
    shop.run("ALTER TABLE crm_contact REPLICA IDENTITY DEFAULT")
    report = await shop.follow()
    assert "REPLICA IDENTITY FULL" in await shop.until_reason(report, "OldRowsUnknown")
    assert report.well
    shop.run(ANNA, "UPDATE crm_contact SET contact_country = 'NO'", "UPDATE crm_contact SET contact_id = '2'")
    shop.run("DELETE FROM crm_contact")
    found = await shop.until_changes(4)
    assert [each["old"] for each in found] == [None, None, {"contact_id": "1"}, {"contact_id": "2"}]


async def test_values_are_those_that_come_over_http(shop: Shop) -> None:
    shop.run(
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        "CREATE DOMAIN price AS numeric(12,2)",
        "CREATE TABLE everything (id bigint PRIMARY KEY, a numeric, b price, c timestamptz, d timestamp, e date,"
        " f json, g jsonb, h bytea, i int[], j text[], k bool, l float8, m mood, n mood[], o uuid, p text, q price[])",
    )
    shop.change(tables=("everything",))
    await shop.follow()
    shop.run(
        "INSERT INTO everything VALUES (9007199254740993, 12.50, 0.10, '2026-01-02 03:04:05.6+02',"
        " '2026-01-02 03:04:05', '2026-01-02', '{\"a\": [1, null]}', '[true]', '\\xdeadbeef', '{{1,2},{3,NULL}}',"
        " '{\"a,b\",NULL,\"NULL\",\"q\\\"\\\\\"}', true, 'NaN', 'good', '{good,bad}',"
        " '00000000-0000-0000-0000-000000000001', 'Zoë 🙂', '{1.10}')",
        "INSERT INTO everything (id) VALUES (2)",
    )
    first, second = [each["new"] for each in await shop.until_changes(2)]
    assert first == {
        "id": 9007199254740993, "a": "12.50", "b": "0.10", "c": "2026-01-02T01:04:05.6+00:00",
        "d": "2026-01-02T03:04:05", "e": "2026-01-02", "f": {"a": [1, None]}, "g": [True], "h": "3q2+7w==",
        "i": [[1, 2], [3, None]], "j": ["a,b", None, "NULL", 'q"\\'], "k": True, "l": "NaN", "m": "good",
        "n": ["good", "bad"], "o": "00000000-0000-0000-0000-000000000001", "p": "Zoë 🙂", "q": ["1.10"],
    }  # fmt: skip
    assert second == {**dict.fromkeys(first), "id": 2}


async def test_a_large_value_that_an_update_left_alone_is_known_with_a_full_identity_only(shop: Shop) -> None:
    shop.run("ALTER TABLE crm_contact ALTER notes SET STORAGE EXTERNAL")
    await shop.follow()
    shop.run(
        "INSERT INTO crm_contact (contact_id, notes) VALUES ('1', repeat('x', 100000))",
        "UPDATE crm_contact SET contact_country = 'DE'",
        "ALTER TABLE crm_contact REPLICA IDENTITY DEFAULT",
        "UPDATE crm_contact SET contact_country = 'NO'",
    )
    _, known, unknown = await shop.until_changes(3)
    assert len(known["new"]["notes"]) == 100_000
    assert "notes" not in unknown["new"]
    assert unknown["unchanged"] == ["notes"]


async def test_columns_that_are_added_dropped_and_changed_are_followed(shop: Shop) -> None:
    report = await shop.follow()
    shop.run(
        ANNA,
        "ALTER TABLE crm_contact ADD mood text DEFAULT 'good'",
        "UPDATE crm_contact SET contact_country = 'NO'",
        "ALTER TABLE crm_contact DROP notes",
        "UPDATE crm_contact SET contact_country = 'SE'",
        "ALTER TABLE crm_contact ADD size int",
        "UPDATE crm_contact SET size = 7",
        "ALTER TABLE crm_contact ALTER size TYPE text USING size || ' m'",
        "UPDATE crm_contact SET mood = 'bad'",
    )
    found = [each["new"] for each in await shop.until_changes(5)]
    assert "mood" not in found[0]
    assert found[1]["mood"] == "good"
    assert "notes" not in found[2]
    assert (found[3]["size"], found[4]["size"]) == (7, "7 m")
    assert report.well


@pytest.mark.parametrize("megabytes", [pytest.param(1, id="that a turn takes"), pytest.param(50, id="too large")])
async def test_huge_text(shop: Shop, megabytes: int) -> None:
    await shop.follow()
    shop.run(
        f"INSERT INTO crm_contact (contact_id, notes) VALUES ('1', repeat('é', {megabytes} * 1048576 / 2))",
        ANNA.replace("'1'", "'2'"),
    )
    first, second = await shop.until_changes(2)
    if megabytes == 1:
        assert len(first["new"]["notes"]) == 524_288
    else:
        # Named, so that nobody takes it for empty.
        assert "notes" not in first["new"]
        assert first["left_out"] == ["notes"]
    assert second["new"]["contact_id"] == "2"


async def test_a_truncated_table_is_told_of_and_nobody_gets_a_change(shop: Shop) -> None:
    report = await shop.follow()
    shop.run(ANNA, "TRUNCATE crm_contact", ANNA)
    assert [each["change"] for each in await shop.until_changes(2)] == ["INSERT", "INSERT"]
    assert b"botyard_connector_truncated_tables_total{source=" in report.metrics.exposition()


async def test_a_large_transaction_passes_in_portions_and_in_order(shop: Shop) -> None:
    shop.subscriptions = (Subscription(table="crm_contact", where=("notes:=:yes",), personas=("nora",)),)
    await shop.follow()
    shop.run(
        "INSERT INTO crm_contact (contact_id, notes) SELECT n, CASE WHEN n % 1000 = 0 THEN 'yes' ELSE 'no' END "
        "FROM generate_series(1, 100000) n"
    )
    found = await shop.until_changes(100)
    assert [each["new"]["contact_id"] for each in found] == [str(1000 * number) for number in range(1, 101)]


async def test_each_persona_gets_what_it_subscribed_to(shop: Shop) -> None:
    shop.subscriptions = (
        Subscription(table="crm_contact", where=("contact_country:=:DE",), personas=("nora",)),
        Subscription(table="crm_contact", actions=("DELETE",), personas=("nora", "oslo")),
        Subscription(table="crm_contact", columns=("notes",), actions=("UPDATE",), personas=("oslo",)),
    )
    await shop.follow()
    shop.run(
        ANNA,
        ANNA.replace("'1'", "'2'").replace("DE", "NO"),
        "UPDATE crm_contact SET contact_country = 'SE'",
        "UPDATE crm_contact SET notes = 'x' WHERE contact_id = '1'",
        "DELETE FROM crm_contact",
    )
    assert [each["change"] for each in await shop.until_changes(3, "nora")] == ["INSERT", "DELETE", "DELETE"]
    assert [each["change"] for each in await shop.until_changes(3, "oslo")] == ["UPDATE", "DELETE", "DELETE"]


async def test_changes_that_come_together_share_events_up_to_a_limit(shop: Shop) -> None:
    await shop.follow()
    shop.run("INSERT INTO crm_contact (contact_id) SELECT n FROM generate_series(1, 500) n")
    assert [int(each["new"]["contact_id"]) for each in await shop.until_changes(500)] == list(range(1, 501))
    from botyard.core.inbox import Inbox

    assert 500 / 32 <= await Inbox(shop.redis).pending(BOT) < 100
