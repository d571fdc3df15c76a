"""…/usage: what a bot used of paid services."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from botyard.cli import usage
from botyard.core.inbox import Entry
from botyard.usage import keys
from botyard.usage.book import UsageBook
from botyard.usage.writer import UsageWriter
from botyard.workflow.accounting import AccountingEvent, ServiceUsage
from botyard.workflow.storage import FileStorage
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem


@pytest.fixture
async def used(system: System) -> None:
    """A turn that used a model twice."""
    await system.redis.set(keys.WANTED, "1")
    entry = Entry("1-0", ECHO.partition("c"), "evt", "c", "message", "{}", "turn_1", "ann", 1)
    book = UsageBook(system.redis, ECHO)
    for _ in range(2):
        event = AccountingEvent("llm", model_or_service="m", component="a", usage=ServiceUsage(output_tokens=4))
        await book.record(entry, event.to_dict())


async def test_a_day_and_a_turn_are_told_by_component_and_model(system: System, used: None) -> None:
    today = datetime.now(UTC).date().isoformat()
    for query in ("", f"?day={today}", "?turn=turn_1"):
        answer = await system.http.get(f"{BASE}/usage{query}", headers=bearer("keeper"))
        assert answer.status_code == 200, answer.text
        assert answer.json()["rows"] == [
            {"service_type": "llm", "component": "a", "model": "m", "sums": {"calls": 2, "output": 8}}
        ]
    answer = await system.http.get(f"{BASE}/usage?day=1999-12-31", headers=bearer("keeper"))
    assert answer.json() == {"day": "1999-12-31", "turn": "", "rows": []}


async def test_it_is_for_those_who_operate_the_bot(system: System) -> None:
    problem(await system.http.get(f"{BASE}/usage", headers=bearer("ann")), 403, "forbidden")
    problem(await system.http.get(f"{BASE}/usage?day=x", headers=bearer("keeper")), 400, "bad-parameter")


async def test_the_command_reads_the_events_of_a_storage(
    system: System, used: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await UsageWriter(system.redis, FileStorage(tmp_path), lambda: [ECHO]).drain(ECHO)
    assert usage.run(["shop/echo", "--storage", f"file://{tmp_path}", "--turn", "turn_1", "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["sums"] == {"calls": 2, "output": 8}
    assert usage.run(["shop/echo", "--storage", str(tmp_path)]) == 0
    assert "llm" in capsys.readouterr().out
