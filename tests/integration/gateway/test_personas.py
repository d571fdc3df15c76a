"""…/personas/{p}: threads, tasks and confirmations of a loop bot; whose they are, what is refused."""

import json
from typing import Any

import httpx
import pytest

from botyard.contract.routes import Route, Routes
from botyard.core import keys as core_keys
from tests.integration.gateway.system import BASE, ECHO, ROUTES, System, bearer, problem, records

NORA = f"{BASE}/personas/nora"


@pytest.fixture
async def loop(system: System) -> System:
    """A gateway whose bot shop/echo is a loop bot with two Personas."""
    echo = Route(**{**ROUTES.routes[0].model_dump(), "model": "loop", "personas": ("nora", "oslo")})
    system.gateway.table.replace(Routes(routes=(echo, *ROUTES.routes[1:])))
    return system


async def post(system: System, path: str, body: Any, *, user: str = "ann") -> httpx.Response:
    return await system.http.post(path, json=body, headers=bearer(user))


async def waiting(system: System) -> list[tuple[str, str, Any]]:
    """Key, kind and payload of what waits for the bot."""
    return [(entry.key, entry.kind, json.loads(entry.payload)) for entry in await system.waiting()]


async def test_a_task_waits_for_the_persona_s_board(loop: System) -> None:
    answer = await post(loop, f"{NORA}/tasks", {"title": "Call Oslo", "column": "todo", "id": "t1", "budget": 5})
    assert (answer.status_code, answer.json()["task"], answer.json()["conversation"]) == (202, "t1", ":nora")
    ((key, kind, payload),) = await waiting(loop)
    assert (key, kind) == (":nora", "action")
    asked = {name: payload[name] for name in ("action", "id", "column", "ktask_budget")}
    assert asked == {"action": "task.create", "id": "t1", "column": "todo", "ktask_budget": 5}


async def test_the_same_task_again_is_the_same_task(loop: System) -> None:
    for duplicate in (False, True):
        answer = await post(loop, f"{NORA}/tasks", {"title": "Call Oslo", "id": "t1"})
        assert answer.json()["duplicate"] is duplicate
    assert len(await waiting(loop)) == 1


async def test_everybody_who_may_use_the_bot_works_on_its_board(loop: System) -> None:
    await post(loop, f"{NORA}/tasks", {"title": "Call Oslo", "id": "t1"}, user="ann")
    answer = await post(loop, f"{NORA}/tasks/t1/move", {"column": "done", "summary": "called"}, user="ben")
    assert answer.status_code == 202
    assert (await waiting(loop))[1][2]["ktask_resolution_summary"] == "called"


async def test_a_task_is_given_to_a_thread(loop: System) -> None:
    await post(loop, f"{NORA}/tasks/t1/move", {"column": "inprogress", "thread": "t7"})
    assert (await waiting(loop))[0][2]["ktask_inprogress_ft_id"] == "t7"


async def test_a_task_is_read_with_its_history(loop: System) -> None:
    entry = {"at": 7.0, "action": "INSERT", "column": "inbox", "by": {"user": "ann"}, "changed": []}
    kept = {"task/t1": {"ktask_id": "t1", "ktask_title": "Call Oslo", "ktask_inbox_ts": 7.0, "ktask_history": [entry]}}
    await records(loop, ":nora", kept)
    answer = await loop.http.get(f"{NORA}/tasks/t1", headers=bearer("ben"))
    assert (answer.json()["title"], answer.json()["history"]) == ("Call Oslo", [entry])
    problem(await loop.http.get(f"{NORA}/tasks/t2", headers=bearer("ben")), 404, "unknown-task")


async def test_a_thread_belongs_to_the_user_who_began_it(loop: System) -> None:
    thread = (await post(loop, f"{NORA}/threads", {"text": "Who called?"})).json()["thread"]
    path = f"{NORA}/threads/{thread}"
    assert (await post(loop, f"{path}/messages", {"text": "And yesterday?"})).status_code == 202
    problem(await post(loop, f"{path}/messages", {"text": "Me too"}, user="ben"), 403, "conversation-of-another-user")
    problem(await loop.http.get(path, headers=bearer("ben")), 404, "unknown-conversation")
    assert (await loop.http.get(path, headers=bearer("ann"))).json()["conversation"] == f"nora~{thread}"


async def test_a_message_to_a_loop_bot_goes_to_a_thread_of_its_persona(loop: System) -> None:
    answer = await post(loop, f"{BASE}/messages", {"text": "hello", "persona": "oslo", "conversation": "c1"})
    assert answer.json()["conversation"] == "oslo~c1"
    again = await post(loop, f"{BASE}/messages", {"text": "hello", "conversation": "oslo~c1"})
    assert again.json()["conversation"] == "oslo~c1"


@pytest.mark.parametrize(
    "body", [{"text": "hello"}, {"text": "hello", "persona": "nora", "conversation": "oslo~c1"}], ids=["none", "two"]
)
async def test_a_message_must_say_which_persona_is_meant(loop: System, body: dict[str, Any]) -> None:
    refused = problem(await post(loop, f"{BASE}/messages", body), 422, "invalid-body")
    assert "nora, oslo" in refused["errors"][0]["detail"]


async def test_a_confirmation_goes_to_the_thread_of_its_call(loop: System) -> None:
    thread = (await post(loop, f"{NORA}/threads", {"text": "write"})).json()["thread"]
    others = [{"call": f"{thread}.2.1", "allow": False, "reason": "no"}]
    answer = await post(loop, f"{NORA}/calls/{thread}.2.0/confirm", {"allow": True, "others": others})
    assert answer.status_code == 202
    key, kind, payload = (await waiting(loop))[1]
    assert (key, kind, payload["action"]) == (f"nora~{thread}", "action", "call.confirm")
    decided = {call["call"]: call["allow"] for call in payload["calls"]}
    assert decided == {f"{thread}.2.0": True, f"{thread}.2.1": False}
    problem(
        await post(loop, f"{NORA}/calls/{thread}.2.0/confirm", {"allow": True}, user="ben"),
        403,
        "conversation-of-another-user",
    )


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/personas/paris/tasks", {"title": "x"}, "unknown-persona"),
        ("/personas/nora/tasks", {"title": ""}, "invalid-body"),
        ("/personas/nora/tasks", {"title": "x", "column": "later"}, "invalid-body"),
        ("/personas/nora/tasks", {"title": "x", "titel": "y"}, "invalid-body"),
        ("/personas/nora/tasks/t1/move", {"column": "away"}, "invalid-body"),
        ("/personas/nora/threads", {"text": ""}, "invalid-body"),
        ("/personas/nora/calls/nonsense/confirm", {"allow": True}, "bad-parameter"),
        ("/personas/nora/calls/t1.2.0/confirm", {"allow": "yes"}, "invalid-body"),
    ],
)
async def test_bad_input_is_refused_by_name(loop: System, path: str, body: dict[str, Any], name: str) -> None:
    status = {"unknown-persona": 404, "bad-parameter": 400, "invalid-body": 422}[name]
    problem(await post(loop, BASE + path, body), status, name)
    assert await waiting(loop) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "b", "c"]),
        ("?search=bike", ["a", "b"]),
        ("?search=BIKE+oslo", ["b"]),
        ("?archived=true", ["c"]),
        ("?archived=false&search=letter", []),
        ("?waiting=true", ["b"]),
    ],
    ids=["all", "word", "words", "archived", "not-archived", "waiting"],
)
async def test_threads_are_searched(loop: System, query: str, found: list[str]) -> None:
    call = {"call": "b.2.0", "tool": "write", "arguments": "{}", "command": "write it", "explanation": "It writes."}
    await records(
        loop,
        ":nora",
        {
            "thread/a": {"ft_id": "a", "ft_title": "A bike", "owner_fuser_id": ""},
            "thread/b": {"ft_id": "b", "ft_title": "Travel", "ft_app_searchable": "by bike to Oslo", "ft_coins": 7,
                         "owner_fuser_id": "", "ft_confirmations": [call]},
            "thread/c": {"ft_id": "c", "ft_title": "A letter", "ft_archived_ts": 1.0, "owner_fuser_id": ""},
        },
    )  # fmt: skip
    answer = await loop.http.get(f"{NORA}/threads{query}", headers=bearer("ann"))
    threads = answer.json()["threads"]
    assert [thread["id"] for thread in threads] == found
    for thread in threads:
        if thread["id"] == "b":
            assert (thread["coins"], thread["confirmations"]) == (7, [call])


async def test_a_thread_gets_another_title_and_goes_into_the_archive(loop: System) -> None:
    thread = (await post(loop, f"{NORA}/threads", {"text": "Who called?"})).json()["thread"]
    path = f"{NORA}/threads/{thread}"
    body = {"title": "Calls", "archived": True}
    answer = await loop.http.patch(path, json=body, headers=bearer("ann"))
    assert answer.status_code == 202
    changes = [payload for _, _, payload in (await waiting(loop))[1:]]
    assert [change["action"] for change in changes] == ["thread.title", "thread.archive"]
    problem(await loop.http.patch(path, json=body, headers=bearer("ben")), 404, "unknown-conversation")
    problem(await loop.http.patch(path, json={}, headers=bearer("ann")), 422, "invalid-body")
    problem(await loop.http.patch(path, json={"titel": "x"}, headers=bearer("ann")), 422, "invalid-body")


async def begun_by_a_bot(system: System, thread: str, *, owner: str = "") -> None:
    """Have a thread that a bot began: it has commits, but no user."""
    key = f"nora~{thread}"
    await system.redis.hset(core_keys.conversation(ECHO.partition(key), key), "commits", 1)  # type: ignore[misc]
    await records(system, ":nora", {f"thread/{thread}": {"ft_id": thread, "owner_fuser_id": owner}})


@pytest.mark.parametrize("path", ["threads", "messages"])
async def test_what_a_bot_began_stays_everybody_s(loop: System, path: str) -> None:
    await begun_by_a_bot(loop, "task_t1")
    for user in ("ann", "ben"):
        assert (await loop.http.get(f"{NORA}/threads/task_t1", headers=bearer(user))).status_code == 200
        where, about = (
            (f"{NORA}/threads/task_t1/messages", {}) if path == "threads" else
            (f"{BASE}/messages", {"conversation": "nora~task_t1"})
        )  # fmt: skip
        assert (await post(loop, where, {"text": "How far?"} | about, user=user)).status_code == 202
    assert [payload["user"] for _, _, payload in await waiting(loop)] == ["ann", "ben"]


@pytest.mark.parametrize("thread", ["task_t9", "sched_sweep_1", "thread_x"])
async def test_nobody_takes_the_name_of_work_to_come(loop: System, thread: str) -> None:
    for where, body in (
        (f"{NORA}/threads/{thread}/messages", {"text": "Mine"}),
        (f"{NORA}/calls/{thread}.2.0/confirm", {"allow": True}),
        (f"{BASE}/messages", {"text": "Mine", "conversation": f"nora~{thread}"}),
        (f"{BASE}/messages", {"text": "Mine", "persona": "nora", "conversation": thread}),
    ):
        problem(await post(loop, where, body), 404, "unknown-conversation")
    assert await waiting(loop) == []


async def test_a_subchat_belongs_to_the_user_of_its_thread(loop: System) -> None:
    await begun_by_a_bot(loop, "thread_sub", owner="ann")
    path, confirm = f"{NORA}/threads/thread_sub", f"{NORA}/calls/thread_sub.2.0/confirm"
    said = {"text": "hi", "conversation": "nora~thread_sub"}
    assert (await loop.http.get(path, headers=bearer("ann"))).status_code == 200
    problem(await loop.http.get(path, headers=bearer("ben")), 404, "unknown-conversation")
    for where, body in ((confirm, {"allow": True}), (f"{BASE}/messages", said)):
        assert (await post(loop, where, body)).status_code == 202
        problem(await post(loop, where, body, user="ben"), 403, "conversation-of-another-user")
