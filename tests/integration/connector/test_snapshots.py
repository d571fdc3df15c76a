"""Every row once, on request: consistent with the stream, and gone on with after a crash."""

import pytest

from botyard.connector import snapshot
from tests.integration.connector.shop import Shop


def insert(first: int, last: int) -> str:
    return f"INSERT INTO crm_contact (contact_id) SELECT lpad(n::text, 6, '0') FROM generate_series({first}, {last}) n"


async def test_rows_that_were_there_come_first_and_changes_follow(shop: Shop) -> None:
    shop.run(insert(1, 1200))
    shop.change(snapshot="first")
    await shop.follow()
    shop.run("UPDATE crm_contact SET notes = 'x' WHERE contact_id = '000007'")
    found = await shop.until_changes(1201)
    assert [each["change"] for each in found] == ["INSERT"] * 1200 + ["UPDATE"]
    assert [each["new"]["contact_id"] for each in found[:1200]] == [f"{number:06}" for number in range(1, 1201)]


async def test_a_snapshot_is_sent_once_for_each_value_that_asks_for_it(shop: Shop) -> None:
    shop.run(insert(1, 3))
    await shop.follow()
    shop.run(insert(4, 4))
    await shop.until_changes(1)
    await shop.stop()
    shop.change(snapshot="a")
    await shop.follow()
    await shop.until_changes(5)
    await shop.stop()
    await shop.follow()
    shop.run(insert(5, 5))
    found = await shop.until_changes(6)
    assert [each["new"]["contact_id"] for each in found] == [f"{n:06}" for n in (4, 1, 2, 3, 4, 5)]


async def test_a_snapshot_that_was_cut_off_is_gone_on_with(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run(insert(1, 1000))
    shop.change(snapshot="first")
    monkeypatch.setattr(snapshot, "PORTION", 50)
    shop.start()

    async def some() -> bool:
        return len(await shop.changes()) >= 200

    await shop.until(some)
    await shop.stop()
    before = len(await shop.changes())
    shop.run("UPDATE crm_contact SET notes = 'late' WHERE contact_id IN ('000001', '001000')", insert(1001, 1001))
    await shop.follow()

    async def complete() -> bool:
        return {f"{number:06}" for number in range(1, 1002)} <= {
            each["new"]["contact_id"] for each in await shop.changes()
        }

    await shop.until(complete)
    found = await shop.changes()
    assert before < 1000
    last = {each["new"]["contact_id"]: each["new"]["notes"] for each in found}
    assert (last["000001"], last["001000"], last["000002"]) == ("late", "late", None)
    # At most the portion that was under way came twice.
    first = [each["new"]["contact_id"] for each in found if each["change"] == "INSERT"]
    assert len(first) - len(set(first)) <= 51


async def test_a_second_snapshot_comes_whole_also_where_nothing_happened_between(shop: Shop) -> None:
    shop.run(insert(1, 3))
    await shop.follow()
    for number, value in enumerate(("a", "b"), start=1):
        await shop.stop()
        shop.change(snapshot=value)
        await shop.follow()
        await shop.until_changes(3 * number)


async def test_a_snapshot_goes_on_also_where_nothing_happened_between(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run(insert(1, 300))
    await shop.follow()
    await shop.stop()
    shop.change(snapshot="first")
    monkeypatch.setattr(snapshot, "PORTION", 10)
    for least in (30, 60, 90):
        shop.start()

        async def some(least: int = least) -> bool:
            return len(await shop.changes()) >= least

        await shop.until(some)
        await shop.stop()
    await shop.follow()

    async def complete() -> bool:
        return {f"{number:06}" for number in range(1, 301)} <= {
            each["new"]["contact_id"] for each in await shop.changes()
        }

    await shop.until(complete)
