"""POST …/conversations/{c}/fork: a conversation of the caller's own that begins where another one was."""

from tests.integration.gateway.system import BASE, System, bearer, problem


async def test_a_fork_belongs_to_its_maker_and_begins_with_what_was_said(system: System) -> None:
    conversation = await system.conversation("hello")
    path = f"{BASE}/conversations/{conversation}/fork"
    answer = await system.http.post(path, headers=bearer("boss"))
    assert answer.status_code == 201
    fork = answer.json()["conversation"]
    described = (await system.http.get(f"{BASE}/conversations/{fork}", headers=bearer("boss"))).json()
    assert described["user"] == "boss"
    told = []
    for name, user in ((conversation, "ann"), (fork, "boss")):
        events = await system.http.get(f"{BASE}/conversations/{name}/events?follow=false", headers=bearer(user))
        told.append([event["data"]["type"] for event in events.json()["events"]])
    assert told[0] == told[1] != []
    problem(await system.http.get(f"{BASE}/conversations/{fork}", headers=bearer("ann")), 404, "unknown-conversation")


async def test_what_is_not_kept_cannot_be_forked(system: System) -> None:
    conversation = await system.conversation("hello")
    path = f"{BASE}/conversations/{conversation}/fork"
    refused = problem(await system.http.post(f"{path}?after=turn_none", headers=bearer("ann")), 409, "not-forkable")
    assert "turn_" in refused["detail"]
    fresh = (await system.post())["conversation"]
    problem(await system.http.post(f"{BASE}/conversations/{fresh}/fork", headers=bearer("ann")), 409, "not-forkable")


async def test_conversations_of_others_need_the_verb_operate(system: System) -> None:
    conversation = await system.conversation("hello")
    path = f"{BASE}/conversations/{conversation}/fork"
    problem(await system.http.post(path, headers=bearer("ben")), 404, "unknown-conversation")
