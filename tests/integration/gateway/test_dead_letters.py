"""Dead letters: events that were given up, for those who may operate the bot."""

import json

import pytest

from tests.integration.gateway.system import BASE, System, bearer, problem

LETTERS = f"{BASE}/dead-letters"


async def test_a_letter_tells_what_was_given_up_and_why(system: System) -> None:
    sent = await system.post("boom")
    await system.give_up()
    (letter,) = await system.letters()
    assert letter["given_up"] >= letter["accepted"] > 1_700_000_000_000
    assert json.loads(letter["payload"])["text"] == "boom"
    assert {name: letter[name] for name in ("conversation", "turn", "event", "kind", "user", "error")} == {
        "conversation": sent["conversation"],
        "turn": sent["turn"],
        "event": sent["event"],
        "kind": "message",
        "user": "ann",
        "error": {"kind": "DeadLetter", "message": "workers died 3 times", "where": ""},
    }


async def test_the_oldest_letters_of_all_partitions_come_first(system: System) -> None:
    sent = []
    for number in range(6):
        sent.append((await system.post(conversation=f"c{number}"))["conversation"])
        await system.give_up()
    assert [letter["conversation"] for letter in await system.letters()] == sent
    answer = (await system.http.get(f"{LETTERS}?limit=4", headers=bearer("keeper"))).json()
    assert [letter["conversation"] for letter in answer["letters"]] == sent[:4]
    assert answer["more"] is True
    after = answer["letters"][-1]["id"]
    answer = (await system.http.get(f"{LETTERS}?after={after}", headers=bearer("keeper"))).json()
    assert [letter["conversation"] for letter in answer["letters"]] == sent[4:]
    assert answer["more"] is False


async def test_a_requeued_event_waits_for_the_bot_again_as_the_same_turn(system: System) -> None:
    sent = await system.post("boom")
    await system.give_up()
    (letter,) = await system.letters()
    answer = await system.http.post(f"{LETTERS}/{letter['id']}/requeue", headers=bearer("keeper"))
    assert (answer.status_code, answer.content) == (202, b"")
    (entry,) = await system.waiting()
    assert (entry.turn, entry.event, entry.user, json.loads(entry.payload)["text"]) == (
        sent["turn"],
        sent["event"],
        "ann",
        "boom",
    )
    assert await system.letters() == []
    described = await system.http.get(f"{BASE}/conversations/{sent['conversation']}", headers=bearer("ann"))
    assert [turn["state"] for turn in described.json()["turns"] if turn["turn"] == sent["turn"]] == ["dead", "open"]
    problem(
        await system.http.post(f"{LETTERS}/{letter['id']}/requeue", headers=bearer("keeper")), 404, "unknown-letter"
    )
    assert len(await system.waiting()) == 1


async def test_a_dropped_event_is_gone(system: System) -> None:
    await system.post("boom")
    await system.give_up()
    (letter,) = await system.letters()
    answer = await system.http.delete(f"{LETTERS}/{letter['id']}", headers=bearer("keeper"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert await system.letters() == []
    assert await system.waiting() == []
    problem(await system.http.delete(f"{LETTERS}/{letter['id']}", headers=bearer("keeper")), 404, "unknown-letter")


@pytest.mark.parametrize(
    "letter",
    ["x", "0:", "0:1", "4:1-0", "999:1-0", "0:99999999999999999999-0", "0:1-0;", "-1:1-0", "٣:1-0", "0:1-0%0a"],
)
async def test_what_cannot_be_a_letter_is_unknown(system: System, letter: str) -> None:
    problem(await system.http.post(f"{LETTERS}/{letter}/requeue", headers=bearer("keeper")), 404, "unknown-letter")
    problem(await system.http.delete(f"{LETTERS}/{letter}", headers=bearer("keeper")), 404, "unknown-letter")


@pytest.mark.parametrize("user", ["ann", "channel"])
async def test_without_the_verb_operate_nothing_is_told_or_done(system: System, user: str) -> None:
    await system.post("boom")
    await system.give_up()
    (letter,) = await system.letters()
    for method, path in (("GET", ""), ("POST", f"/{letter['id']}/requeue"), ("DELETE", f"/{letter['id']}")):
        answer = await system.http.request(method, LETTERS + path, headers=bearer(user))
        assert "`operate`" in problem(answer, 403, "forbidden")["detail"]
    assert len(await system.letters()) == 1


async def test_the_limit_is_bounded(system: System) -> None:
    problem(await system.http.get(f"{LETTERS}?after=x", headers=bearer("keeper")), 400, "bad-parameter")
    for limit in ("0", "201", "x"):
        answer = await system.http.get(f"{LETTERS}?limit={limit}", headers=bearer("keeper"))
        problem(answer, 400, "bad-parameter")
