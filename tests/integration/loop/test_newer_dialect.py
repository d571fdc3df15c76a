"""A bot of the kit's newer dialect, put together as published ones are: skills, integrations, documents, subchats."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.core import keys
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

SKILL = "---\nname: hop\ndescription: How to hop.\n---\nJump.\n"
SCHEMA = [
    {"bs_name": "style", "bs_type": "string_short", "bs_default": "loud", "bs_group": "Main", "bs_order": 1,
     "bs_importance": 0, "bs_description": "How", "bs_placeholder": "x"},
    {"bs_name": "rules", "bs_type": "list_dict", "bs_default": [], "bs_group": "Rules",
     "bs_elements": [{"bs_name": "when", "bs_type": "string_short", "bs_default": "", "bs_group": ""}]},
]  # fmt: skip
BOT = """
import asyncio, json
from pathlib import Path
from flexus_client_kit import ckit_ask_model, ckit_bot_exec, ckit_bot_version, ckit_client, ckit_cloudtool
from flexus_client_kit import ckit_integrations_db, ckit_kanban, ckit_shutdown, ckit_skills, erp_schema
from flexus_client_kit.integrations import fi_mongo_store, fi_pdoc
from gql.transport.exceptions import TransportQueryError

ROOT = Path(__file__).parent
NAME = ckit_bot_version.bot_name_from_file(__file__)
VERSION = ckit_bot_version.read_version_file(__file__)
SKILLS = ckit_skills.static_skills_find(ROOT, shared_skills_allowlist="", integration_skills_allowlist="")
SETUP = json.loads((ROOT / "setup_schema.json").read_text())
INTEGRATIONS = ckit_integrations_db.static_integrations_load(
    ROOT, allowlist=["flexus_policy_document", "print_widget", "skills", "slack", "erp[meta, data]"],
    builtin_skills=SKILLS)
CROAK = ckit_cloudtool.CloudTool(strict=True, name="croak", description="Croak.", parameters={
    "type": "object", "properties": {"n": {"type": ["integer", "null"]}}, "required": ["n"],
    "additionalProperties": False})
ASK = ckit_cloudtool.CloudTool(strict=False, name="ask_others", description="Ask.", parameters={
    "type": "object", "properties": {}})
TOOLS = [CROAK, ASK, fi_mongo_store.MONGO_STORE_TOOL, *[tool for r in INTEGRATIONS for tool in r.integr_tools]]


async def main_loop(fclient, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(SETUP, rcx.persona.persona_setup)
    await ckit_integrations_db.main_loop_integrations_init(INTEGRATIONS, rcx, setup)
    pdoc = fi_pdoc.IntegrationPdoc(rcx, rcx.persona.ws_root_group_id)

    @rcx.on_updated_task
    async def on_task(action, old, new):
        print("TASK", action, new.calc_bucket(), sorted(new.ktask_details))

    @rcx.on_erp_change("party")
    async def on_party(action, old, new):
        print("PARTY", action)

    @rcx.on_emessage("TELEGRAM")
    async def on_message(message):
        print("MESSAGE", message)

    @rcx.on_tool_call(CROAK.name)
    async def croak(toolcall, args):
        who = {"persona_id": rcx.persona.persona_id, "fcall_untrusted_key": toolcall.fcall_untrusted_key}
        try:
            await pdoc.pdoc_create("/frog/log", json.dumps({"n": args["n"]}), **who)
        except TransportQueryError as error:
            return f"refused: {error}"
        http = fclient.use_http_on_behalf(rcx.persona.persona_id, toolcall.fcall_untrusted_key)
        await ckit_kanban.bot_kanban_post_into_inbox(
            http, rcx.persona.persona_id, "Follow up", json.dumps({"from": toolcall.fcall_ft_id}), "frog")
        return ckit_cloudtool.ToolResult(content=f"croak {setup['style']}", dollars=0.0001)

    @rcx.on_tool_call(ASK.name)
    async def ask(toolcall, args):
        raise ckit_cloudtool.WaitForSubchats(await ckit_ask_model.bot_subchat_create_multiple(
            client=fclient, who_is_asking="frog", persona_id=rcx.persona.persona_id, first_question=["one", "two"],
            first_calls=["null", "null"], title=["1", "2"], fcall_id=toolcall.fcall_id, fexp_name="hunter"))

    @rcx.on_tool_call(fi_mongo_store.MONGO_STORE_TOOL.name)
    async def store(toolcall, args):
        return await fi_mongo_store.handle_mongo_store(rcx, toolcall, args)

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    from frog import frog_install
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name(NAME, VERSION), endpoint="/v1/jailed-bot")
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient, bot_main_loop=main_loop, inprocess_tools=TOOLS, scenario_fn=scenario_fn,
        install_func=frog_install.install, subscribe_to_erp_tables=["party"]))
"""
INSTALL = """
from flexus_client_kit import ckit_bot_install, ckit_cloudtool, ckit_skills
from frog import frog_bot

OWN = {"croak", "ask_others", "mongo_store", "flexus_fetch_skill", "flexus_policy_document", "slack"}
EXPERTS = [
    ("default", ckit_bot_install.FMarketplaceExpertInput(
        fexp_system_prompt="You are a frog.", fexp_python_kernel="", fexp_nature="NATURE_INTERACTIVE",
        fexp_allow_tools=",".join(ckit_cloudtool.CLOUDTOOLS_QUITE_A_LOT | ckit_cloudtool.KANBAN_SAFE | OWN),
        fexp_model_class="big", fexp_inactivity_timeout=0, fexp_description="Frog",
        fexp_builtin_skills=ckit_skills.read_name_description(frog_bot.ROOT, frog_bot.SKILLS))),
    ("hunter", ckit_bot_install.FMarketplaceExpertInput(
        fexp_system_prompt="You hunt.", fexp_python_kernel="", fexp_allow_tools="none", fexp_description="Hunts")),
]


async def install(client) -> int:
    upserted = await ckit_bot_install.marketplace_upsert_dev_bot(
        client, ws_id=client.ws_id, bot_dir=frog_bot.ROOT, marketable_accent_color="#fff", marketable_title1="Frog",
        marketable_setup_default=frog_bot.SETUP, marketable_daily_budget_default=100_000,
        marketable_experts=[(name, expert.filter_tools(frog_bot.TOOLS)) for name, expert in EXPERTS],
        add_integrations_into_expert_system_prompt=frog_bot.INTEGRATIONS,
        marketable_forms=ckit_bot_install.load_form_bundles(__file__),
        marketable_schedule=[{"sched_type": "SCHED_TASK_SORT", "sched_when": "EVERY:9999h",
                              "sched_first_question": "Sort.", "sched_fexp_name": "default"}])
    return upserted.marketable_version
"""
SCRIPT = """
rules:
- when: {system_contains: "You hunt"}
  reply: {text: "Caught {last}"}
- when: {last_role: tool}
  reply: {text: "It says: {last}"}
- when: {contains: croak}
  reply: {tool_calls: [{name: croak, arguments: {n: null}}]}
- when: {contains: ask}
  reply: {tool_calls: [{name: ask_others, arguments: {}}]}
- when: {contains: skill}
  reply: {tool_calls: [{name: flexus_fetch_skill, arguments: {name: hop}}]}
- when: {contains: document}
  reply: {tool_calls: [{name: flexus_policy_document, arguments: {op: cat, args: {p: /frog/log}}}]}
- when: {contains: store}
  reply: {tool_calls: [{name: mongo_store, arguments: {op: list}}]}
- when: {contains: slack}
  reply: {tool_calls: [{name: slack, arguments: {op: post}}]}
"""


@pytest.fixture
def frog(make_bot: MakeBot) -> Bot:
    return make_bot(
        code="",
        programming_model="loop",
        personas=(PersonaConfig(name="kermit", setup={"style": "calm", "rules": [{"when": "rain"}]}),),
        model=ModelConfig(provider="scripted", name="toy", script="script.yaml"),
        files={
            "config/script.yaml": SCRIPT,
            "bundle/VERSION": "1.2.3\n",
            "bundle/frog/__init__.py": "",
            "bundle/frog/frog_bot.py": BOT,
            "bundle/frog/frog_install.py": INSTALL,
            "bundle/frog/setup_schema.json": json.dumps(SCHEMA),
            "bundle/frog/skills/hop/SKILL.md": SKILL,
        },
    )


async def last(bot: Bot, thread: str) -> Any:
    told = [envelope["data"] for envelope in await bot.heard(thread) if envelope["type"] == "thread.message"]
    return told[-1]["content"] if told else None


async def until_said(bot: Bot, thread: str, begins: str) -> str:
    async with asyncio.timeout(90):
        while not str(said := await last(bot, thread)).startswith(begins):
            await asyncio.sleep(0.05)
    return str(said)


async def test_a_bot_of_the_newer_dialect_runs_unmodified(frog: Bot) -> None:
    [replica] = await frog.start()
    expected = {
        "croak": "It says: croak calm",
        "skill": "It says: Jump.",
        "document": "It says: /frog/log version=1",
        "store": "It says: Error: This Persona has no MongoDB",
        "slack": "It says: slack is not connected",
    }
    for number, (asked, begins) in enumerate(expected.items()):
        await frog.say(f"please {asked}", f"kermit~t{number}")
        await until_said(frog, f"kermit~t{number}", begins)
    await frog.say("please ask", "kermit~sub")
    said = await until_said(frog, "kermit~sub", "It says:")
    assert "Caught one" in said
    assert "Caught two" in said
    async with asyncio.timeout(90):
        while "TASK INSERT inbox ['from', 'provenance']" not in replica.log.read_text():
            await asyncio.sleep(0.05)
    # The schedule that its install function declares waits.
    waiting: Any = await frog.redis.zrange(keys.timers(frog.address.partition("kermit")), 0, -1)
    assert sum(b"schedule.due" in timer for timer in waiting) == 1


async def test_what_is_posted_from_outside_reaches_its_messenger_s_handler(frog: Bot, tmp_path: Path) -> None:
    [replica] = await frog.start()
    payload = {"action": "emessage", "messenger": "telegram", "message": "hello from outside"}
    await frog.inbox.accept(frog.address, key=":kermit", kind="action", payload=payload)
    async with asyncio.timeout(90):
        while "MESSAGE hello from outside" not in replica.log.read_text():
            await asyncio.sleep(0.05)
