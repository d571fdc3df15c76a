"""…/policy-documents: who may read and write what the loop bots of a namespace share."""

from typing import Any

import httpx

from tests.integration.gateway.system import BASE, System, bearer, problem

CONTENT = f"{BASE}/policy-documents/content"


async def put(system: System, body: Any, user: str = "keeper") -> httpx.Response:
    return await system.http.put(CONTENT, json=body, headers=bearer(user))


async def get(system: System, url: str, user: str = "keeper", **parameters: Any) -> httpx.Response:
    return await system.http.get(url, params=parameters, headers=bearer(user))


async def test_a_document_is_written_read_and_listed(system: System) -> None:
    written = (await put(system, {"path": "/plans/spring", "content": "one"})).json()
    assert (written["version"], written["by"]) == (1, "keeper")
    await put(system, {"path": "/plans/spring", "content": "two", "expected": written["digest"]})
    assert (await get(system, CONTENT, path="/plans/spring")).json()["content"] == "two"
    assert (await get(system, CONTENT, path="/plans/spring", version=1)).json()["content"] == "one"
    listed = (await get(system, f"{BASE}/policy-documents", prefix="/plans/")).json()
    assert listed == {"paths": ["/plans/spring"], "last": "/plans/spring"}


async def test_what_cannot_be_done_is_told(system: System) -> None:
    problem(await get(system, CONTENT, path="/none"), 404, "unknown-document")
    problem(await get(system, CONTENT, path="/../x"), 400, "bad-parameter")
    await put(system, {"path": "/a", "content": "one"})
    problem(await put(system, {"path": "/a", "content": "two", "expected": "other"}), 409, "document-changed")
    problem(await put(system, {"path": "/a", "content": "x" * (1024 * 1024 + 1)}), 413, "too-large")


async def test_who_only_talks_to_a_bot_reads_no_documents(system: System) -> None:
    problem(await get(system, f"{BASE}/policy-documents", "ann"), 403, "forbidden")
    problem(await put(system, {"path": "/a", "content": "x"}, "ann"), 403, "forbidden")
