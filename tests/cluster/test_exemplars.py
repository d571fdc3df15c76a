"""The exemplary loop and workflow bots on the real cluster: deployed as anybody would, used over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.spaces import Space

BUNDLES = Path(__file__).parents[2] / "bundles"
ADA = {
    "contact_id": "c1", "contact_first_name": "Ada", "contact_last_name": "Byron", "contact_notes": "wants a quote",
    "contact_email": "ada@example.com",
}  # fmt: skip
ODD = """
import asyncio
from flexus_client_kit import ckit_bot_exec, ckit_bot_install, ckit_client, ckit_cloudtool, ckit_shutdown

NOTHING = {"type": "object", "properties": {}}
NOBODY = ckit_cloudtool.CloudTool(strict=False, name="nobody", description="", parameters=NOTHING)
KERNEL = '''
message = messages[-1]
if message["role"] == "assistant" and "really" not in message["content"]:
    post_cd_instruction = "Say really."
'''


async def install(client, name, version, tools):
    await ckit_bot_install.marketplace_upsert_dev_bot(client, marketable_name=name, marketable_experts=[
        ("default", ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt="Odd.", fexp_python_kernel=KERNEL))])


async def main_loop(client, rcx):
    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("odd_100000000"), marketable_name="odd", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[NOBODY], install_func=install))
"""
"""A tool that nobody handles, and a kernel that is never content at once."""
ODD_SCRIPT = "rules: [{when: {contains: Say really}, reply: {text: really yes}}, {reply: {text: yes}}]"


def files_of(name: str) -> dict[str, str]:
    """Return the files of an exemplary bundle, below a folder of its name."""
    found = sorted(path for path in (BUNDLES / name).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {f"{name}/{path.relative_to(BUNDLES / name)}": path.read_text() for path in found}


def test_a_workflow_bot_answers_in_pieces_with_its_sources(space: Space) -> None:
    space.push(files_of("researcher"))
    space.bundle("researcher", path="researcher")
    space.bot("researcher", bundle="researcher")
    space.ready("bundle/researcher", "bot/researcher")
    assert (space.get("bundle", "researcher") or {})["status"]["manifest"]["model"] == "workflow"
    assert (space.get("bot", "researcher") or {})["status"]["scenarios"]["passed"] is True

    conversation = space.conversation("researcher")
    conversation.answer(conversation.send("When is honey ripe?"))
    path = f"{conversation.base}/conversations/{conversation.identifier}/events?follow=false"
    events = [event["data"] for event in conversation.http.get(path).raise_for_status().json()["events"]]
    answer = [e["delta"]["text"] for e in events if e["type"] == "chat.delta" and e["delta"]["marker"] == "answer"]
    assert "two thirds of a frame are capped" in "".join(answer)
    assert {"chat.citations", "chat.followups", "chat.turn.summary"} <= {event["type"] for event in events}


def test_its_own_kind_of_client_reads_it_over_sse(space: Space) -> None:
    space.push(files_of("researcher"))
    space.bundle("researcher", path="researcher")
    space.bot("researcher", bundle="researcher", default=True)
    space.ready("bot/researcher")
    session = {"stream_id": "s1", "user_session_id": "mine", "tenant": space.namespace}
    heard: list[str] = []
    with space.http(space.token()) as http, http.stream("GET", "/sse/stream", params=session) as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            if line == "event: ready":
                body = {"message": {"text": "When is honey ripe?"}}
                accepted = http.post("/sse/chat", params=session, json=body)
                assert accepted.json()["status"] == "processing_started"
            if line.startswith("data: "):
                heard.append(line)
            if line == "event: chat_complete":
                break
    deltas = [json.loads(line.removeprefix("data: ")) for line in heard]
    text = "".join(event.get("text", "") for event in deltas if (event.get("delta") or {}).get("marker") == "answer")
    assert "two thirds of a frame are capped" in text


def test_a_loop_bot_hears_of_a_changed_row_and_puts_a_follow_up_on_its_board(space: Space) -> None:
    script = (BUNDLES / "clerk" / "scenarios" / "model-script.yaml").read_text()
    space.push(files_of("clerk"))
    space.bundle("clerk", path="clerk")
    space.bot("clerk", bundle="clerk", model=_scripted(space, "clerk-script", script))
    space.apply("Bundle", "odd", {"inline": {"files": {"bot.py": ODD}}})
    space.bot("odd", bundle="odd", model=_scripted(space, "odd-script", ODD_SCRIPT))
    space.apply("Persona", "otto", {"botRef": {"name": "odd"}})
    germans = {"table": "crm_contact", "where": ["contact_country:=:DE"]}
    space.apply(
        "Persona",
        "clara",
        {
            "botRef": {"name": "clerk"},
            "setup": {"letters_without_asking": "false"},
            "erp": {"subscriptions": [germans]},
        },
    )
    space.eventually(
        "a setup of another type is told",
        lambda: "letters_without_asking" in space.condition("persona", "clara", "SetupValid").get("message", ""),
        "persona/clara",
    )
    space.apply(
        "Persona",
        "clara",
        {"botRef": {"name": "clerk"}, "setup": {"sender": "Clara"}, "erp": {"subscriptions": [germans]}},
    )
    space.ready("bundle/clerk", "bot/clerk", "persona/clara")
    space.eventually(
        "its subscription is in force",
        lambda: space.condition("persona", "clara", "Subscribed").get("status") == "True",
        "persona/clara",
    )

    with space.http(space.token("crm", verbs=("use", "actas"))) as http:
        rows = f"/v1/namespaces/{space.namespace}/erp/crm_contact"
        changes = [
            {"id": "1", "action": "INSERT", "new": {**ADA, "contact_id": "c9", "contact_country": "NO"}},
            {"id": "2", "action": "INSERT", "new": {**ADA, "contact_country": "DE"}},
        ]
        answer = http.post(rows, json=changes)
        assert (answer.status_code, answer.json()["deliveries"]) == (202, 1), answer.text
        assert http.post(rows, json=changes).json()["deliveries"] == 0

        def titles() -> list[str]:
            return _titles(http, space)

        space.eventually("the follow-up is on the board", lambda: len(titles()) == 2, "bot/clerk", "persona/clara")
        assert sorted(titles()) == ["Follow up: Send the quote", "New contact: Ada Byron"]
        _a_person_decides(space, http)
    space.eventually(
        "the status counts its tasks and what was spent",
        lambda: (
            _status(space).get("tasks", {}).get("inbox") == 1 and _status(space).get("spend", {}).get("coins", 0) > 0
        ),
        "persona/clara",
    )
    space.eventually(
        "a tool without a handler is told",
        lambda: "nobody" in space.condition("persona", "otto", "ToolsWithoutHandler").get("message", ""),
        "bundle/odd", "bot/odd", "persona/otto",
    )  # fmt: skip


def _a_person_decides(space: Space, http: httpx.Client) -> None:
    """Reject a letter with a reason on the command line, and allow one over HTTP."""
    for decide in ("command", "http"):
        body = {"text": "Write to c1"}
        said = http.post(f"/v1/namespaces/{space.namespace}/bots/clerk/messages", json=body).raise_for_status().json()
        thread = said["conversation"].partition("~")[2]
        base = f"/v1/namespaces/{space.namespace}/bots/clerk/personas/clara"
        waiting: list[str] = []

        def asked(thread: str = thread, waiting: list[str] = waiting, base: str = base) -> bool:
            found = http.get(f"{base}/threads", params={"waiting": "true"}).raise_for_status().json()["threads"]
            waiting += [call["call"] for each in found if each["id"] == thread for call in each["confirmations"]]
            return bool(waiting)

        space.eventually("the letter waits for a person", asked, "bot/clerk", "persona/clara")
        if decide == "command":
            command = [str(Path(sys.executable).with_name("botyard")), "approvals", "reject"]
            arguments = [f"{space.namespace}/clerk", "clara", waiting[0], "--reason", "Too early."]
            token = http.headers["Authorization"].removeprefix("Bearer ")
            environment = {**os.environ, "BOTYARD_URL": space.system.gateway, "BOTYARD_TOKEN": token}
            ran = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=120)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            expected = "A person rejected this call. Reason: Too early."
        else:
            http.post(f"{base}/calls/{waiting[0]}/confirm", json={"allow": True}).raise_for_status()
            expected = "The letter to ada@example.com is in the mail."
        space.eventually(
            "the clerk hears what was decided",
            lambda thread=thread, expected=expected, base=base: (  # type: ignore[misc]
                expected
                in str(http.get(f"{base}/threads/{thread}").raise_for_status().json()["messages"][-1]["content"])
            ),
            "bot/clerk",
        )


def _scripted(space: Space, name: str, script: str) -> dict[str, Any]:
    """Return a model that answers by a script, which a ConfigMap holds."""
    metadata = {"name": name, "namespace": space.namespace}
    space.kubectl.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"script.yaml": script}}
    )
    return {"provider": "scripted", "name": "script", "script": {"configMapRef": {"name": name}}}


def _titles(http: httpx.Client, space: Space) -> list[str]:
    path = f"/v1/namespaces/{space.namespace}/bots/clerk/personas/clara/tasks"
    return [task["title"] for task in http.get(path).raise_for_status().json()["tasks"]]


def _status(space: Space) -> dict[str, dict[str, int]]:
    status: dict[str, dict[str, int]] = (space.get("persona", "clara") or {}).get("status") or {}
    return status
