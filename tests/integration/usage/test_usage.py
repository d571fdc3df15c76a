"""Events of a bot's turns: counted once, kept until the storage has them."""

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from botyard.core.address import BotAddress, Partition
from botyard.core.inbox import Entry
from botyard.usage import book as books
from botyard.usage import keys
from botyard.usage.book import UsageBook, UsageRefused
from botyard.usage.metrics import UsageMetrics
from botyard.usage.reports import UsageReports
from botyard.usage.writer import UsageWriter
from botyard.workflow.accounting import AccountingEvent, ServiceUsage
from botyard.workflow.storage import FileStorage

BOT = BotAddress("shop", "clerk")
ENTRY = Entry("1-0", Partition(BOT, 0), "evt_1", "conv_1", "message", "{}", "turn_1", "ada", 0)


def event(component: str = "answer", **members: Any) -> dict[str, Any]:
    """Return an event as a worker tells it."""
    usage = ServiceUsage(input_tokens=3, output_tokens=4, total_tokens=7, requests=1)
    return AccountingEvent("llm", model_or_service="m", component=component, usage=usage, **members).to_dict()


@pytest.fixture
async def book(redis_client: Redis) -> UsageBook:
    """A book whose events somebody writes to a storage."""
    await redis_client.set(keys.WANTED, "1")
    return UsageBook(redis_client, BOT)


async def test_an_event_is_counted_once_however_often_it_is_told(redis_client: Redis, book: UsageBook) -> None:
    told = event(timestamp="2026-11-21T10:00:00+00:00")
    for _ in range(3):
        await book.record(ENTRY, told)
    await book.record(ENTRY, event(timestamp="2026-11-21T23:59:59Z", success=False))
    (row,) = await UsageReports(redis_client).day(BOT, "2026-11-21")
    assert row.sums == {"calls": 2, "failed": 1, "requests": 2, "input": 6, "output": 8, "tokens": 14}
    assert await UsageReports(redis_client).turn(BOT, "turn_1") == [row]
    assert await redis_client.xlen(keys.spool(BOT)) == 2


async def test_whose_usage_it_is_does_not_come_from_the_worker(
    redis_client: Redis, book: UsageBook, tmp_path: Path
) -> None:
    await book.record(ENTRY, event(tenant_id="other", project_id="bot", user_id="eve", context={"turn_id": "t"}))
    assert await UsageWriter(redis_client, FileStorage(tmp_path), lambda: [BOT]).drain(BOT) == 1
    (path,) = FileStorage(tmp_path).walk()
    kept = json.loads(FileStorage(tmp_path).read(path))
    assert path.startswith("accounting/shop/clerk/")
    assert (kept["user_id"], kept["request_id"]) == ("ada", "evt_1")
    assert kept["context"] == {"conversation_id": "conv_1", "turn_id": "turn_1"}


async def test_what_the_storage_refuses_stays_until_it_takes_it(
    redis_client: Redis, book: UsageBook, tmp_path: Path
) -> None:
    for number in range(5):
        await book.record(ENTRY, event(f"part-{number}"))

    class Broken(FileStorage):
        left = 2

        def write(self, path: str, content: bytes) -> None:
            if self.left == 0:
                raise OSError("no space left on device")
            self.left -= 1
            super().write(path, content)

    with pytest.raises(OSError, match="no space"):
        await UsageWriter(redis_client, Broken(tmp_path), lambda: [BOT]).drain(BOT)
    assert await redis_client.xlen(keys.spool(BOT)) == 5
    await redis_client.delete(keys.writer(BOT))
    writer = UsageWriter(redis_client, FileStorage(tmp_path), lambda: [BOT])
    assert await writer.drain(BOT) == 5
    assert len(list(FileStorage(tmp_path).walk())) == 5
    assert await redis_client.xlen(keys.spool(BOT)) == 0


async def test_one_process_writes_for_a_bot_at_a_time(redis_client: Redis, book: UsageBook, tmp_path: Path) -> None:
    await book.record(ENTRY, event())
    first, second = (UsageWriter(redis_client, FileStorage(tmp_path), lambda: [BOT]) for _ in range(2))
    assert await first.drain(BOT) == 1
    await book.record(ENTRY, event())
    assert await second.drain(BOT) == 0
    assert await first.drain(BOT) == 1


async def test_without_a_storage_events_are_counted_and_not_kept(redis_client: Redis) -> None:
    await UsageBook(redis_client, BOT).record(ENTRY, event())
    assert await redis_client.xlen(keys.spool(BOT)) == 0
    assert len(await UsageReports(redis_client).turn(BOT, "turn_1")) == 1


async def test_more_than_may_wait_is_refused_and_not_counted(
    redis_client: Redis, book: UsageBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "MAX_SPOOLED", 1)
    await book.record(ENTRY, event())
    late = event()
    with pytest.raises(UsageRefused, match="storage"):
        await book.record(ENTRY, late)
    monkeypatch.setattr(books, "MAX_SPOOLED", 2)
    await book.record(ENTRY, late)
    (row,) = await UsageReports(redis_client).turn(BOT, "turn_1")
    assert row.sums["calls"] == 2


async def test_a_flood_of_components_ends_in_one_row(
    redis_client: Redis, book: UsageBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "MAX_FIELDS", 10)
    for number in range(10):
        await book.record(ENTRY, event(f"part-{number}"))
    rows = await UsageReports(redis_client).turn(BOT, "turn_1")
    assert {row.component for row in rows} == {"part-0", "part-1", "other"}
    assert sum(row.sums["calls"] for row in rows) == 10


@pytest.mark.parametrize("told", [{}, {"service_type": "llm", "event_id": ""}, {"service_type": "llm", "usage": "x"}])
async def test_what_is_no_event_is_refused(book: UsageBook, told: dict[str, Any]) -> None:
    with pytest.raises(UsageRefused):
        await book.record(ENTRY, told)


async def test_metrics_tell_components_and_turns(redis_client: Redis) -> None:
    registry = CollectorRegistry()
    book = UsageBook(redis_client, BOT, UsageMetrics(registry))
    await book.record(ENTRY, event())
    await book.record(ENTRY, event(success=False))
    book.turn_over("turn_1")
    labels = {"service_type": "llm", "component": "answer"}
    assert registry.get_sample_value("botyard_usage_calls_total", {**labels, "success": "true"}) == 1
    assert registry.get_sample_value("botyard_usage_tokens_total", {**labels, "direction": "output"}) == 8
    assert registry.get_sample_value("botyard_usage_turn_tokens_sum") == 14
