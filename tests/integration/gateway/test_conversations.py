"""GET and DELETE …/conversations/{c}."""

from tests.integration.gateway.system import BASE, System, bearer, problem


async def test_a_conversation_is_described_with_its_turns(system: System) -> None:
    first = await system.post()
    conversation = first["conversation"]
    await system.answer(("bot.message", {"text": "hi"}))
    second = await system.post(conversation=conversation)

    answer = (await system.http.get(f"{BASE}/conversations/{conversation}", headers=bearer("ann"))).json()

    assert (answer["conversation"], answer["user"], answer["ended"], answer["last"]) == (
        conversation,
        "ann",
        False,
        "1",
    )
    assert answer["created"] > 1_700_000_000_000
    assert [(turn["turn"], turn["event"], turn["state"]) for turn in answer["turns"]] == [
        (first["turn"], first["event"], "completed"),
        (second["turn"], second["event"], "open"),
    ]


async def test_an_ended_conversation_stays_readable(system: System) -> None:
    conversation = await system.conversation("hi")
    path = f"{BASE}/conversations/{conversation}"
    answer = await system.http.delete(path, headers=bearer("ann"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await system.http.get(path, headers=bearer("ann"))).json()["ended"] is True
    events = (await system.http.get(f"{path}/events?follow=false", headers=bearer("ann"))).json()["events"]
    assert len(events) == 1


async def test_what_does_not_exist_cannot_be_ended(system: System) -> None:
    problem(await system.http.delete(f"{BASE}/conversations/none", headers=bearer("ann")), 404, "unknown-conversation")


async def test_identifiers_that_cannot_be_are_unknown(system: System) -> None:
    for conversation in ("%7Btag%7D", "a%0d%0ab", "x" * 200):
        answer = await system.http.get(f"{BASE}/conversations/{conversation}", headers=bearer("ann"))
        problem(answer, 404, "unknown-conversation")
