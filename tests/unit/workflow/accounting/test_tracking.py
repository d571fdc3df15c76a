"""What the decorators record of each call."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.workflow.accounting import (
    AccountingSystem,
    ServiceUsage,
    collecting,
    track_embedding,
    track_llm,
    track_web_search,
    with_accounting,
)
from botyard.workflow.accounting import recorder as recording
from botyard.workflow.storage import FileStorage


@pytest.fixture(autouse=True)
def kept(tmp_path: Path) -> Iterator[Path]:
    """Have events kept below a folder, said by nobody."""
    AccountingSystem.init_storage(FileStorage(tmp_path))
    AccountingSystem.clear_context()
    yield tmp_path
    AccountingSystem.init_storage(None)
    AccountingSystem.clear_context()


def events(root: Path) -> list[dict[str, Any]]:
    """Return all events that are kept."""
    return [json.loads(path.read_text()) for path in sorted(root.rglob("*.json"))]


async def test_an_asynchronous_call_is_one_event_at_the_documented_place(kept: Path) -> None:
    AccountingSystem.set_context(user_id="u1", tenant_id="t1", project_id="p1", conversation_id="c1", turn_id="turn1")

    @track_llm(provider_extractor=lambda *a, **k: "openai", model_extractor=lambda prompt, **k: f"gpt-{prompt}")
    async def ask(prompt: str) -> dict[str, Any]:
        return {"text": "hi", "usage": {"prompt_tokens": 3, "completion_tokens": 4}, "id": "req-1"}

    with with_accounting("my.bundle.phase", metadata={"phase": "rerank"}, seed_system_resources=["kb:1"]):
        await ask("4o")
    (path,) = kept.rglob("*.json")
    pattern = r"accounting/t1/p1/\d{4}\.\d\d\.\d\d/llm/my\.bundle\.phase/usage_\d{8}_\d{6}_\d{3}-([0-9a-f-]{36})\.json"
    found = re.fullmatch(pattern, path.relative_to(kept).as_posix())
    assert found is not None
    (event,) = events(kept)
    assert event["event_id"] == found[1]
    assert event["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "requests": 1}
    assert event["metadata"].pop("processing_time_ms") >= 0
    assert event["timestamp"]
    del event["event_id"], event["timestamp"], event["usage"]
    assert event == {
        "user_id": "u1",
        "session_id": None,
        "user_type": None,
        "tenant_id": "t1",
        "project_id": "p1",
        "request_id": None,
        "app_bundle_id": None,
        "component": "my.bundle.phase",
        "service_type": "llm",
        "provider": "openai",
        "model_or_service": "gpt-4o",
        "seed_system_resources": ["kb:1"],
        "success": True,
        "error_message": None,
        "provider_request_id": "req-1",
        "metadata": {"phase": "rerank"},
        "context": {"conversation_id": "c1", "turn_id": "turn1"},
    }


async def test_a_call_that_raises_is_recorded_as_failed_and_raises_still(kept: Path) -> None:
    @track_embedding(provider_extractor="local", model_extractor="mini")
    async def embed() -> None:
        raise ConnectionError("refused")

    @track_web_search()
    def search() -> None:
        raise ValueError

    # The name of the class stands for a message that there is not.
    with pytest.raises(ConnectionError, match="refused"):
        await embed()
    with pytest.raises(ValueError, match=r"^$"):
        await asyncio.to_thread(search)
    embedding, searching = events(kept)
    assert (embedding["success"], embedding["error_message"], embedding["provider"]) == (False, "refused", "local")
    assert (searching["success"], searching["error_message"]) == (False, "ValueError")
    assert searching["service_type"] == "web_search"


async def test_a_call_that_is_cancelled_is_recorded(kept: Path) -> None:
    begun = asyncio.Event()

    @track_llm()
    async def ask() -> None:
        begun.set()
        await asyncio.Event().wait()

    asking = asyncio.create_task(ask())
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (event,) = events(kept)
    assert event["success"] is False


def test_a_plain_call_is_kept_when_it_returns(kept: Path) -> None:
    @track_llm(usage_extractor=lambda result, *args, **kwargs: ServiceUsage(input_tokens=len(result), cost_usd=0.5))
    def ask(word: str) -> str:
        return word * 2

    assert ask("ab") == "abab"
    (event,) = events(kept)
    assert event["usage"] == {"input_tokens": 4, "total_tokens": 4, "requests": 1, "cost_usd": 0.5}


async def test_a_plain_call_on_the_loop_is_kept_after_drain(kept: Path) -> None:
    @track_llm()
    def ask() -> str:
        return "x"

    ask()
    await recording.drain()
    assert len(events(kept)) == 1


async def test_generators_are_one_event_with_the_usage_of_their_last_item(kept: Path) -> None:
    @track_llm(usage_extractor=lambda last, *args, **kwargs: last["usage"])
    async def stream() -> AsyncIterator[dict[str, Any]]:
        yield {"usage": {}}
        yield {"usage": {"output_tokens": 2}}

    assert len([item async for item in stream()]) == 2
    (event,) = events(kept)
    assert event["usage"]["output_tokens"] == 2


@pytest.mark.parametrize(
    "extractor",
    [lambda: {"input_tokens": 5}, lambda result: {"input_tokens": 5}, lambda result, prompt, **kw: {"input_tokens": 5}],
    ids=["of nothing", "of the result", "of all"],
)
def test_extractors_take_what_they_want(kept: Path, extractor: Any) -> None:
    @track_llm(usage_extractor=extractor)
    def ask(prompt: str, *, temperature: int = 0) -> str:
        return prompt

    ask("x", temperature=1)
    assert events(kept)[0]["usage"]["input_tokens"] == 5


def test_an_extractor_that_fails_breaks_nothing(kept: Path) -> None:
    def broken(*args: Any, **kwargs: Any) -> str:
        raise KeyError("model")

    @track_llm(provider_extractor=broken, model_extractor=broken, usage_extractor=broken, metadata_extractor=broken)
    def ask() -> str:
        return "fine"

    assert ask() == "fine"
    assert events(kept)[0]["provider"] == "unknown"


def test_a_storage_that_fails_breaks_no_call(caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        def write(self, path: str, content: bytes) -> None:
            raise OSError("no space left on device")

    @track_llm()
    def ask() -> str:
        return "fine"

    AccountingSystem.init_storage(Full())
    assert ask() == "fine"
    # With what could not be kept, so that it is not lost.
    assert "could not be recorded" in caplog.text
    assert "event_id" in caplog.text


def test_disabled_records_nothing_but_is_collected(kept: Path) -> None:
    AccountingSystem.init_storage(FileStorage(kept), enabled=False)

    @track_llm()
    def ask() -> None:
        pass

    with collecting() as found:
        ask()
    assert events(kept) == []
    assert len(found) == 1


def test_events_of_one_moment_do_not_overwrite_each_other(kept: Path) -> None:
    @track_llm()
    def ask() -> None:
        pass

    threads = [threading.Thread(target=lambda: [ask() for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({event["event_id"] for event in events(kept)}) == 100


def test_names_that_would_lead_elsewhere_do_not(kept: Path) -> None:
    AccountingSystem.set_context(tenant_id="../../etc", project_id="a/b", component="..")

    @track_llm()
    def ask() -> None:
        pass

    ask()
    (path,) = kept.rglob("*.json")
    parts = path.relative_to(kept).parts
    assert parts[:3] == ("accounting", "_.._etc", "a_b")
    assert parts[5] == "unknown"


def test_what_json_does_not_know_is_written_as_text(kept: Path) -> None:
    @track_llm(metadata_extractor=lambda *args, **kwargs: {"who": object(), "big": "x" * 100_000})
    def ask() -> None:
        pass

    ask()
    assert "left_out" in events(kept)[0]["metadata"]
