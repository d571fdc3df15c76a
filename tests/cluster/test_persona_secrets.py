"""What a Persona keeps in Secrets, on the real cluster: values of its setup, and a MongoDB of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from demo.story import state_folder
from localcluster.layout import NODE_IP
from tests.cluster.spaces import Space
from tests.integration.mongo.mongo import running

KEEPER = """
import asyncio
from pymongo import AsyncMongoClient
from flexus_client_kit import ckit_bot_exec, ckit_bot_install, ckit_client, ckit_cloudtool, ckit_mongo, ckit_shutdown

SETUP = [{"bs_name": "signature", "bs_type": "string_short", "bs_default": "nobody", "bs_group": "Notes"}]
NOTE = {"type": "object", "properties": {"note": {"type": "string"}}}
KEEP = ckit_cloudtool.CloudTool(strict=False, name="keep", description="Keep a note.", parameters=NOTE)


async def install(client, name, version, tools):
    expert = ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt="You keep notes.")
    await ckit_bot_install.marketplace_upsert_dev_bot(
        client, marketable_name=name, marketable_setup_default=SETUP, marketable_experts=[("default", expert)])


async def main_loop(client, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(SETUP, rcx.persona.persona_setup)
    address = await ckit_mongo.mongo_fetch_creds(client, rcx.persona.persona_id)
    notes = AsyncMongoClient(address)[rcx.persona.persona_id + "_db"]["notes"]

    @rcx.on_tool_call("keep")
    async def keep(call, args):
        await ckit_mongo.mongo_overwrite(notes, "note.md", args["note"])
        return f"kept {len(await ckit_mongo.mongo_ls(notes))} note, signed {setup['signature']}"

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("keeper_100000000"), marketable_name="keeper", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[KEEP], install_func=install))
"""
SCRIPT = """
rules:
- when: {last_role: user}
  reply: {tool_calls: [{name: keep, arguments: {note: buy honey}}]}
- when: {last_role: tool}
  reply: {text: "{last}"}
"""


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[str]:
    """A server that pods reach."""
    if not (state_folder() / "audit.log").exists():
        pytest.skip("needs the local cluster, whose pods reach this machine (make cluster)")
    with running(tmp_path / "mongo", NODE_IP) as address:
        yield address


def test_a_persona_has_a_database_and_setup_that_only_secrets_hold(space: Space, mongo: str) -> None:
    space.run("create", "secret", "generic", "keeper", f"--from-literal=uri={mongo}", "--from-literal=name=sesame")
    space.run("create", "configmap", "script", f"--from-literal=script.yaml={SCRIPT}")
    space.apply("Bundle", "keeper", {"inline": {"files": {"bot.py": KEEPER}}})
    model = {"provider": "scripted", "name": "script", "script": {"configMapRef": {"name": "script"}}}
    space.bot("keeper", bundle="keeper", model=model)
    spec = {
        "botRef": {"name": "keeper"},
        "mongo": {"secretRef": {"name": "keeper"}},
        "setupFrom": [{"key": "signature", "secretKeyRef": {"name": "keeper", "key": "name"}}],
    }
    space.apply("Persona", "kim", spec)
    space.ready("bundle/keeper", "bot/keeper", "persona/kim")

    with space.http(space.token()) as http:
        threads = f"/v1/namespaces/{space.namespace}/bots/keeper/personas/kim/threads"
        thread = http.post(threads, json={"text": "Keep it"}).raise_for_status().json()["thread"]

        def said() -> list[str]:
            answer = http.get(f"{threads}/{thread}")
            return [str(message["content"]) for message in answer.json().get("messages", ())]

        space.eventually(
            "the note is kept", lambda: "kept 1 note, signed sesame" in said(), "bot/keeper", "persona/kim"
        )
    with MongoClient(mongo) as client:
        assert client["kim_db"]["notes"].count_documents({}) == 1
    seen = space.run("get", "configmaps,bots,personas,deployments,pods,events", "-o", "yaml")
    assert "sesame" not in seen
    assert mongo not in seen
