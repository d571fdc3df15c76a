"""Policy documents as a bot's code uses them, on documents in memory."""

from collections.abc import Iterator
from typing import Any

import pytest

from botyard.core.documents import digest_of
from botyard.loop import documents, effects
from botyard.loop.errors import PlatformError


class Memory:
    """Documents that one test has."""

    def __init__(self) -> None:
        self.contents: dict[str, str] = {}
        self.writes: list[str] = []

    async def ask(self, method: str, args: dict[str, Any]) -> Any:
        path = args["path"]
        if method == "documents.write":
            self.writes.append(args["write"])
            if args["create"] and path in self.contents:
                raise PlatformError(f"{path} exists", "Exists")
            self.contents[path] = args["content"]
            return 1
        if path not in self.contents:
            raise PlatformError(f"there is no document {path}", "NotFound")
        if method == "documents.remove":
            del self.contents[path]
            return None
        content = self.contents[path]
        return {"path": path, "content": content, "version": 1, "digest": digest_of(content), "by": "", "at": 0.0}


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory()
    effects.asking(memory.ask)
    yield memory
    effects.asking(None)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("title", {"title": "new", "steps": [{"n": 1}]}),
        ("steps.0.n", {"title": "old", "steps": [{"n": "new"}]}),
        ("steps.1", {"title": "old", "steps": [{"n": 1}, "new"]}),
        ("deep.er", {"title": "old", "steps": [{"n": 1}], "deep": {"er": "new"}}),
    ],
)
async def test_one_place_inside_of_a_document_is_set(memory: Memory, location: str, expected: Any) -> None:
    await documents.write("/plan", {"title": "old", "steps": [{"n": 1}]})
    await documents.update_at("/plan", location, "new")
    assert (await documents.read("/plan")).data() == expected


@pytest.mark.parametrize("location", ["steps.7", "steps.x", "title.deeper"])
async def test_a_place_that_cannot_be_is_refused(memory: Memory, location: str) -> None:
    await documents.write("/plan", {"title": "old", "steps": []})
    with pytest.raises(PlatformError) as refused:
        await documents.update_at("/plan", location, "new")
    assert refused.value.code == "NoPlace"


async def test_what_somebody_changed_meanwhile_is_not_written_over(memory: Memory) -> None:
    await documents.write("/plan", {"n": 1})
    with pytest.raises(PlatformError) as refused:
        await documents.update_at("/plan", "n", 2, expected=digest_of("something older"))
    assert refused.value.code == "Changed"


async def test_a_moved_document_is_where_it_was_moved_to(memory: Memory) -> None:
    await documents.write("/a", "text")
    await documents.move("/a", "/b")
    assert memory.contents == {"/b": "text"}


async def test_a_handler_that_runs_again_writes_under_the_same_id(memory: Memory) -> None:
    for _ in range(2):
        effects.handling(effects.Effects("event-1"))
        await documents.write("/a", "one")
        await documents.write("/a", "two")
    effects.handling(None)
    assert memory.writes[:2] == memory.writes[2:]
    assert memory.writes[0] != memory.writes[1]


async def test_code_of_no_persona_has_no_documents() -> None:
    effects.asking(None)
    with pytest.raises(RuntimeError, match="Persona's loop"):
        await documents.read("/a")
