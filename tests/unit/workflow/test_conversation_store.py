"""Files of conversations: where they lie, and that no name leads elsewhere."""

from pathlib import Path

import pytest

from botyard.workflow.conversation_store import ConversationStore


async def test_files_of_a_turn_are_kept_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDCUBE_STORAGE_PATH", f"file://{tmp_path}")
    store = ConversationStore.from_env(tenant="t1", project="p1")
    assert store is not None
    place = {"user_id": "u1", "conversation_id": "c1"}
    path = await store.put(**place, turn_id="turn1", name="report.md", content="# Hi")
    await store.put(**place, turn_id="turn2", name="plot.png", content=b"\x89PNG")
    await store.put(user_id=None, conversation_id="c1", turn_id="t", name="x.json", content={"a": 1})
    assert path == "conversations/t1/p1/u1/c1/turn1/report.md"
    assert await store.get(path) == b"# Hi"
    assert await store.list(**place) == [path, "conversations/t1/p1/u1/c1/turn2/plot.png"]
    assert await store.get("conversations/t1/p1/anonymous/c1/t/x.json") == b'{"a": 1}'
    with pytest.raises(FileNotFoundError):
        await store.get("conversations/t1/p1/u1/c1/turn1/other.md")


async def test_a_name_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDCUBE_STORAGE_PATH", str(tmp_path))
    store = ConversationStore.from_env(tenant="../t", project="..")
    assert store is not None
    path = await store.put(user_id="../../root", conversation_id="a/b", turn_id=".", name="../../../etc/x", content="x")
    assert (tmp_path / path).read_text() == "x"
    assert ".." not in Path(path).parts


def test_without_a_storage_there_is_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDCUBE_STORAGE_PATH", raising=False)
    assert ConversationStore.from_env(tenant="t", project="p") is None
