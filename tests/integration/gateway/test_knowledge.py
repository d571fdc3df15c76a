"""Documents that are uploaded for a bot to answer from."""

import pytest

from botyard.core import knowledge
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem

PRICES = f"{BASE}/collections/prices/documents"


async def put(system: System, name: str, text: str | bytes, *, user: str = "keeper", kind: str = "text/markdown"):
    body = text.encode() if isinstance(text, str) else text
    headers = {**bearer(user), "Content-Type": kind}
    return await system.http.put(f"{PRICES}/{name}", content=body, headers=headers)


async def test_what_is_uploaded_is_listed_replaced_and_dropped(system: System) -> None:
    assert (await put(system, "tubes.md", "Tubes cost four euros.")).json() == {
        "collection": "prices",
        "document": "tubes.md",
        "size": 22,
    }
    await put(system, "a b.txt", "Free.", kind="text/plain; charset=utf-8")
    await put(system, "tubes.md", "Tubes: 5")
    listed = (await system.http.get(PRICES, headers=bearer("keeper"))).json()["documents"]
    assert [(each["document"], each["size"]) for each in listed] == [("a b.txt", 5), ("tubes.md", 8)]
    (collection,) = (await system.http.get(f"{BASE}/collections", headers=bearer("keeper"))).json()["collections"]
    assert (collection["collection"], collection["version"]) == ("prices", 3)
    for name in ("a b.txt", "tubes.md"):
        assert (await system.http.delete(f"{PRICES}/{name}", headers=bearer("keeper"))).status_code == 204
    problem(await system.http.delete(f"{PRICES}/tubes.md", headers=bearer("keeper")), 404, "unknown-document")
    assert (await system.http.get(f"{BASE}/collections", headers=bearer("keeper"))).json() == {"collections": []}


async def test_a_collection_that_comes_again_is_another_version(system: System) -> None:
    store = system.gateway.knowledge
    await put(system, "a.md", "one")
    await system.http.delete(f"{PRICES}/a.md", headers=bearer("keeper"))
    await put(system, "a.md", "two")
    assert await store.collections(ECHO) == {"prices": 3}
    assert (await store.page(ECHO, "prices")).documents == {"a.md": "two"}


async def test_pages_end_after_some_bytes_and_go_on_behind_their_last_name(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge, "PAGE_BYTES", 10)
    for number in range(10):
        await put(system, f"{number}.md", "four")
    names, after, more = [], "", True
    while more:
        page = await system.gateway.knowledge.page(ECHO, "prices", after)
        names += page.documents
        after, more = names[-1], page.more
    assert names == [f"{number}.md" for number in range(10)]


@pytest.mark.parametrize(
    ("name", "body", "kind", "status", "says"),
    [
        ("a.md", b"\xff", "text/markdown", 400, "bad-parameter"),
        ("a.pdf", b"x", "application/pdf", 415, "unsupported-media-type"),
        ("a.md", b"x" * (knowledge.MAX_DOCUMENT_BYTES + 1), "text/plain", 413, "too-large"),
        ("a%0A.md", b"x", "text/plain", 400, "bad-parameter"),
    ],
    ids=["no text", "no text type", "too large", "name"],
)
async def test_what_is_no_document_is_refused(
    system: System, name: str, body: bytes, kind: str, status: int, says: str
) -> None:
    problem(await put(system, name, body, kind=kind), status, says)


@pytest.mark.parametrize("user", ["ann", "stranger"])
async def test_only_who_operates_the_bot_may_change_what_it_knows(system: System, user: str) -> None:
    problem(await put(system, "a.md", "x", user=user), 403, "forbidden")
    problem(await system.http.get(f"{BASE}/collections", headers=bearer(user)), 403, "forbidden")


async def test_a_bot_s_documents_have_room_for_so_much(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "MAX_BOT_BYTES", 10)
    await put(system, "a.md", "12345")
    problem(await put(system, "b.md", "123456"), 507, "knowledge-full")
    assert (await put(system, "a.md", "1234567890")).status_code == 200
    monkeypatch.setattr(knowledge, "MAX_DOCUMENTS", 1)
    await put(system, "a.md", "1")
    problem(await put(system, "b.md", "1"), 507, "knowledge-full")
