"""Who may do what; who may not learns nothing from the answer."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.integration.gateway.system import BASE, USERS, System, bearer, problem, write_tokens

VAULT = "/v1/namespaces/bank/bots/vault/messages"
NOWHERE = "/v1/namespaces/bank/bots/nowhere/messages"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        bearer("late"),
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
    ],
    ids=["none", "unknown", "expired", "other scheme", "empty"],
)
async def test_without_a_valid_token_nothing_is_told(system: System, headers: dict[str, str]) -> None:
    for path in ("/v1/bots", f"{BASE}/conversations/c", f"{BASE}/conversations/c/events"):
        answer = await system.http.get(path, headers=headers)
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith('Bearer realm="botyard"')


async def test_forbidden_bots_and_bots_that_do_not_exist_look_the_same(system: System) -> None:
    details = []
    for path, name in ((VAULT, "vault"), (NOWHERE, "nowhere")):
        answer = await system.http.post(path, json={"text": "a"}, headers=bearer("ann"))
        details.append(problem(answer, 403, "forbidden")["detail"].replace(name, "*"))
    assert details[0] == details[1]


async def test_who_may_use_a_bot_learns_that_there_is_none(system: System) -> None:
    answer = await system.http.post(
        "/v1/namespaces/shop/bots/nowhere/messages", json={"text": "a"}, headers=bearer("ann")
    )
    problem(answer, 404, "unknown-bot")


@pytest.mark.parametrize(
    "path", ["/v1/namespaces/SHOP/bots/echo/messages", "/v1/namespaces/shop/bots/%7Bx%7D/messages"]
)
async def test_names_that_kubernetes_does_not_know_are_refused(system: System, path: str) -> None:
    problem(await system.http.post(path, json={"text": "a"}, headers=bearer("ann")), 400, "bad-parameter")


async def test_slashes_in_disguise_reach_no_other_path(system: System) -> None:
    path = "/v1/namespaces/shop/bots/..%2F..%2Fbank%2Fbots%2Fvault/messages"
    problem(await system.http.post(path, json={"text": "a"}, headers=bearer("ann")), 404, "not-found")


async def test_the_list_holds_only_what_one_may_use(system: System) -> None:
    async def names(user: str) -> list[str]:
        answer = await system.http.get("/v1/bots", headers=bearer(user))
        return [f"{bot['namespace']}/{bot['name']}" for bot in answer.json()["bots"]]

    assert await names("ann") == ["shop/asleep", "shop/echo"]
    assert await names("ben") == ["shop/echo"]
    assert await names("stranger") == []


async def test_the_list_tells_why_a_bot_is_not_ready(system: System) -> None:
    bots = (await system.http.get("/v1/bots", headers=bearer("ann"))).json()["bots"]
    assert bots[0] == {
        "namespace": "shop",
        "name": "asleep",
        "model": "auto",
        "ready": False,
        "reason": "Building",
        "message": "Bundle shop/asleep: no tests",
        "default": False,
        "personas": [],
    }


async def test_conversations_of_others_do_not_exist_for_a_user(system: System) -> None:
    conversation = await system.conversation("secret")
    for path in (f"{BASE}/conversations/{conversation}", f"{BASE}/conversations/{conversation}/events"):
        theirs = problem(await system.http.get(path, headers=bearer("ben")), 404, "unknown-conversation")
        nobodys = problem(
            await system.http.get(
                path + "x" if path.endswith("n") else path.replace(conversation, "c0"), headers=bearer("ben")
            ),
            404,
            "unknown-conversation",
        )
        assert theirs == nobodys
    problem(
        await system.http.delete(f"{BASE}/conversations/{conversation}", headers=bearer("ben")),
        404,
        "unknown-conversation",
    )


async def test_nobody_writes_into_the_conversation_of_another(system: System) -> None:
    conversation = await system.conversation("hello")
    answer = await system.http.post(
        f"{BASE}/messages", json={"text": "a", "conversation": conversation}, headers=bearer("ben")
    )
    problem(answer, 403, "conversation-of-another-user")
    assert not await system.waiting()


async def test_acting_for_others_needs_its_own_verb(system: System) -> None:
    body = {"text": "a", "user": "+4712345678"}
    problem(await system.http.post(f"{BASE}/messages", json=body, headers=bearer("ann")), 403, "forbidden")
    answer = await system.http.post(f"{BASE}/messages", json=body, headers=bearer("channel"))
    assert answer.status_code == 202
    (entry,) = await system.waiting()
    assert entry.user == "+4712345678"


async def test_who_acts_for_others_reads_their_conversations(system: System) -> None:
    conversation = await system.conversation("hello")
    answer = await system.http.get(f"{BASE}/conversations/{conversation}", headers=bearer("channel"))
    assert answer.json()["user"] == "ann"


async def test_a_changed_token_file_is_in_force_at_once_and_a_broken_one_changes_nothing(
    system: System, tmp_path: Path
) -> None:
    async def status(user: str) -> int:
        return (await system.http.get("/v1/bots", headers=bearer(user))).status_code

    path = tmp_path / "tokens.yaml"
    assert await status("new") == 401
    write_tokens(path, {**USERS, "new": {"permissions": []}})
    os.utime(path, (1, 1))
    async with asyncio.timeout(90):
        while await status("new") != 200:
            await asyncio.sleep(0.1)
    path.write_text("tokens: [{sha256: short}]")
    await asyncio.sleep(1.1)  # beyond the second in which the file is not looked at again
    assert await status("new") == 200
