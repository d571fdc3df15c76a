"""Documents of a workspace: versions, what two writers do to each other, what is refused."""

import asyncio

import pytest
from redis.asyncio import Redis

from botyard.core import documents as module
from botyard.core.documents import DocumentError, Documents


@pytest.fixture
def documents(redis_client: Redis) -> Documents:
    return Documents(redis_client)


async def test_a_document_is_read_as_it_was_written_and_keeps_its_versions(documents: Documents) -> None:
    assert await documents.write("shop", "plans/spring", "one", by="clerk/nora") == 1
    assert await documents.write("shop", "/plans/spring", "two", by="clerk/oslo") == 2
    newest = await documents.read("shop", "/plans/spring")
    assert (newest.content, newest.version, newest.by) == ("two", 2, "clerk/oslo")
    assert (await documents.read("shop", "/plans/spring", 1)).content == "one"
    assert [found.content for found in await documents.versions("shop", "/plans/spring")] == ["two", "one"]


async def test_the_same_content_is_no_new_version(documents: Documents) -> None:
    await documents.write("shop", "/a", "one")
    assert await documents.write("shop", "/a", "one") == 1


async def test_a_write_that_is_made_again_is_the_same_write(documents: Documents) -> None:
    assert await documents.write("shop", "/a", "one", create=True, write_id="w1") == 1
    await documents.write("shop", "/a", "two", write_id="w2")
    assert await documents.write("shop", "/a", "one", create=True, write_id="w1") == 1
    assert (await documents.read("shop", "/a")).content == "two"


async def test_of_two_that_change_the_same_version_one_wins(documents: Documents) -> None:
    await documents.write("shop", "/a", "one")
    digest = (await documents.read("shop", "/a")).digest
    found = await asyncio.gather(
        *(documents.write("shop", "/a", text, expected=digest) for text in ("two", "three")), return_exceptions=True
    )
    [refused] = [error for error in found if isinstance(error, DocumentError)]
    assert refused.code == "Changed"
    assert (await documents.read("shop", "/a")).version == 2


async def test_a_removed_document_is_gone_and_its_versions_are_not(documents: Documents, redis_client: Redis) -> None:
    await documents.write("shop", "/a", "one")
    await documents.remove("shop", "/a")
    with pytest.raises(DocumentError, match="no document /a") as refused:
        await documents.read("shop", "/a")
    assert refused.value.code == "NotFound"
    assert await documents.paths("shop") == []
    assert await documents.write("shop", "/a", "again") == 2
    assert len(await documents.versions("shop", "/a")) == 2


async def test_workspaces_do_not_see_each_other(documents: Documents) -> None:
    await documents.write("shop", "/a", "one")
    assert await documents.paths("bank") == []


async def test_folders_are_listed_in_order_a_page_at_a_time(documents: Documents) -> None:
    for name in ("b", "a", "c"):
        await documents.write("shop", f"/plans/{name}", name)
    await documents.write("shop", "/plansofold", "x")
    first = await documents.paths("shop", "/plans/", limit=2)
    assert first == ["/plans/a", "/plans/b"]
    assert await documents.paths("shop", "/plans/", after=first[-1]) == ["/plans/c"]


@pytest.mark.parametrize("path", ["", "/", "a//b", "/../a", "a/./b", "a\n", "a" * 121, "/".join("abcd" * 90)])
async def test_what_is_no_path_is_refused(documents: Documents, path: str) -> None:
    with pytest.raises(DocumentError) as refused:
        await documents.write("shop", path, "x")
    assert refused.value.code == "BadPath"


async def test_what_is_too_large_or_too_much_is_refused(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DocumentError) as refused:
        await documents.write("shop", "/a", "x" * (module.MAX_CONTENT + 1))
    assert refused.value.code == "TooLarge"
    monkeypatch.setattr(module, "MAX_DOCUMENTS", 1)
    await documents.write("shop", "/a", "x")
    with pytest.raises(DocumentError) as refused:
        await documents.write("shop", "/b", "x")
    assert refused.value.code == "Full"


async def test_only_so_many_versions_are_kept(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_VERSIONS", 3)
    for number in range(5):
        await documents.write("shop", "/a", str(number))
    assert [found.version for found in await documents.versions("shop", "/a")] == [5, 4, 3]
