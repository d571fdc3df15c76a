"""The complete example of the loop model's document, unmodified, with a Persona's own MongoDB."""

import asyncio
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from tests.integration.mongo.mongo import running
from tests.integration.runtime.conftest import MakeBot

EXAMPLE = """
import asyncio
from flexus_client_kit import ckit_client, ckit_bot_exec, ckit_cloudtool, ckit_shutdown
from flexus_client_kit import ckit_mongo
from pymongo import AsyncMongoClient
from mybot import mybot_install

BOT_NAME = "mybot"
BOT_VERSION = "1.0.0"

MY_TOOL = ckit_cloudtool.CloudTool(
    strict=True,
    name="my_tool",
    description="Does something",
    parameters={
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False
    })

TOOLS = [MY_TOOL]


async def main_loop(fclient, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(
        mybot_install.mybot_setup_schema,
        rcx.persona.persona_setup)

    # MongoDB setup
    mongo_conn = await ckit_mongo.mongo_fetch_creds(fclient, rcx.persona.persona_id)
    mongo = AsyncMongoClient(mongo_conn)
    db = mongo[rcx.persona.persona_id + "_db"]

    @rcx.on_tool_call(MY_TOOL.name)
    async def handle(toolcall, args):
        await db.logs.insert_one({"input": args["input"]})
        return f"Processed: {args['input']}"

    @rcx.on_updated_task
    async def on_task(task):
        if task.ktask_column == "inprogress":
            print(f"Working on: {task.ktask_title}")

    try:
        while not ckit_shutdown.shutdown_event.is_set():
            await rcx.unpark_collected_events(sleep_if_no_work=10.0)
    finally:
        mongo.close()


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(
        ckit_client.bot_service_name(BOT_NAME, BOT_VERSION),
        endpoint="/v1/jailed-bot")

    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient,
        marketable_name=BOT_NAME,
        marketable_version_str=BOT_VERSION,
        bot_main_loop=main_loop,
        inprocess_tools=TOOLS,
        scenario_fn=scenario_fn,
        install_func=mybot_install.install,
    ))


if __name__ == "__main__":
    main()
"""
INSTALL = """
from flexus_client_kit import ckit_bot_install

mybot_setup_schema = [{"bs_name": "greeting", "bs_type": "string_short", "bs_default": "Hi", "bs_group": "Main"}]


async def install(client, bot_name, bot_version, tools):
    await ckit_bot_install.marketplace_upsert_dev_bot(
        client, ws_id=client.ws_id, marketable_name=bot_name, marketable_version=bot_version,
        marketable_setup_default=mybot_setup_schema,
        marketable_experts=[("default", ckit_bot_install.FMarketplaceExpertInput(
            fexp_system_prompt="You process things.", fexp_python_kernel="").filter_tools(tools))])
"""
SCRIPT = """
rules:
- when: {last_role: tool}
  reply: {text: "It says: {last}"}
- reply: {tool_calls: [{name: my_tool, arguments: {input: apples}}]}
"""


async def test_the_complete_example_runs_unmodified(make_bot: MakeBot, tmp_path: Path) -> None:
    with running(tmp_path / "mongo") as address:
        bot = make_bot(
            code=EXAMPLE,
            programming_model="loop",
            personas=(PersonaConfig(name="nora", mongo_uri=address),),
            model=ModelConfig(provider="scripted", name="m", script="main.script.yaml"),
            files={
                "bundle/mybot/__init__.py": "",
                "bundle/mybot/mybot_install.py": INSTALL,
                "config/main.script.yaml": SCRIPT,
            },
        )
        [replica] = await bot.start()
        await bot.say("Process apples", "nora~t1")
        finished = await bot.finished(1, "nora~t1")
        assert finished.turns[0]["state"] == "completed"
        said = [envelope["data"] for envelope in await bot.heard("nora~t1") if envelope["type"] == "thread.message"]
        assert [message["role"] for message in said] == ["user", "assistant", "tool", "assistant"]
        assert said[-1]["content"] == "It says: Processed: apples"
        task = {"action": "task.create", "id": "t1", "ktask_title": "Call Oslo", "column": "inprogress"}
        await bot.inbox.accept(bot.address, key=":nora", kind="action", payload=task)
        async with asyncio.timeout(90):
            while "Working on: Call Oslo" not in replica.log.read_text():
                await asyncio.sleep(0.05)
        client: AsyncMongoClient[Any] = AsyncMongoClient(address)
        assert (await client["nora_db"].logs.find_one({}))["input"] == "apples"
        await client.close()
        await replica.drain()
        assert "Traceback" not in replica.log.read_text()
