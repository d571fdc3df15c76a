"""Events of accounting in a bucket, at the documented place."""

import json
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.cli import usage
from botyard.core.address import BotAddress, Partition
from botyard.core.inbox import Entry
from botyard.usage import keys
from botyard.usage.book import UsageBook
from botyard.usage.writer import UsageWriter
from botyard.workflow.accounting import AccountingEvent, AccountingSystem, ServiceUsage, track_llm
from botyard.workflow.storage import open_storage
from kdcube_ai_app.storage.storage import create_storage_backend
from tests.integration.s3.server import BUCKET, S3Server

BOT = BotAddress("shop", "clerk")
ADDRESS = f"s3://{BUCKET}/accounts"


@pytest.fixture(autouse=True)
def _bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)


async def test_a_host_records_into_a_bucket() -> None:
    AccountingSystem.init_storage(create_storage_backend(ADDRESS))
    AccountingSystem.set_context(tenant_id="t1", project_id="p1", component="a.b")
    try:

        @track_llm(usage_extractor=lambda *a, **k: ServiceUsage(input_tokens=1))
        async def ask() -> None:
            pass

        await ask()
        await ask()
    finally:
        AccountingSystem.init_storage(None)
        AccountingSystem.clear_context()
    paths = list(open_storage(ADDRESS).walk("accounting/t1/p1"))
    assert len(paths) == 2
    assert all("/llm/a.b/usage_" in path for path in paths)


async def test_the_platform_writes_into_a_bucket_and_the_command_reads_it(
    redis_client: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    await redis_client.set(keys.WANTED, "1")
    entry = Entry("1-0", Partition(BOT, 0), "evt", "c", "message", "{}", "turn_1", "ann", 1)
    book = UsageBook(redis_client, BOT)
    for _ in range(3):
        event: dict[str, Any] = AccountingEvent("llm", component="x", usage=ServiceUsage(output_tokens=2)).to_dict()
        await book.record(entry, event)
    assert await UsageWriter(redis_client, open_storage(ADDRESS), lambda: [BOT]).drain(BOT) == 3
    assert usage.run(["shop/clerk", "--storage", ADDRESS, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["sums"]["output"] == 6
