import asyncio
import json
import logging
import time
from typing import Any

from pymongo import AsyncMongoClient

from flexus_client_kit import (
    ckit_ask_model,
    ckit_bot_exec,
    ckit_client,
    ckit_cloudtool,
    ckit_kanban,
    ckit_mongo,
    ckit_shutdown,
    erp_schema,
)
from flexus_client_kit.integrations import fi_mongo_store, fi_pdoc
from hobby_bots.heron import heron_install
from hobby_bots.version_common import HOBBY_VERSION

logger = logging.getLogger("bot_heron")

BOT_NAME = "heron"
BOT_VERSION = HOBBY_VERSION
BOT_VERSION_INT = ckit_client.marketplace_version_as_int(BOT_VERSION)

CATCH_TOOL = ckit_cloudtool.CloudTool(
    strict=True,
    name="catch_fish",
    description="Catch fish from a pond.",
    parameters={
        "type": "object",
        "properties": {
            "pond": {"type": "string", "description": "Which pond"},
            "count": {"type": ["integer", "null"], "description": "How many"},
            "size": {"type": "string", "enum": ["small", "large"]},
        },
        "required": ["pond", "count", "size"],
        "additionalProperties": False,
    },
)
STALK_TOOL = ckit_cloudtool.CloudTool(
    strict=False,
    name="stalk",
    description="Stalk in parallel",
    parameters={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
)
RELEASE_TOOL = ckit_cloudtool.CloudTool(
    strict=True,
    name="release",
    description="Release all fish",
    parameters={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
)
SHOW_TOOL = ckit_cloudtool.CloudTool(
    strict=True,
    name="show",
    description="Show a picture",
    parameters={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
)
REPORT_TOOL = ckit_cloudtool.CloudTool(
    strict=True,
    name="report",
    description="Write a report",
    parameters={
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    },
)
TOOLS = [
    CATCH_TOOL,
    STALK_TOOL,
    RELEASE_TOOL,
    SHOW_TOOL,
    REPORT_TOOL,
    fi_mongo_store.MONGO_STORE_TOOL,
    fi_pdoc.POLICY_DOCUMENT_TOOL,
]


async def heron_main_loop(fclient: ckit_client.FlexusClient, rcx: ckit_bot_exec.RobotContext) -> None:
    setup = ckit_bot_exec.official_setup_mixing_procedure(heron_install.heron_setup_schema, rcx.persona.persona_setup)
    pdoc_integration = fi_pdoc.IntegrationPdoc(rcx, rcx.persona.ws_root_group_id)
    fish: list[str] = []
    tasks_seen: dict[str, ckit_kanban.FPersonaKanbanTaskOutput] = {}
    personal_mongo = None
    try:
        mongo_conn_str = await ckit_mongo.mongo_fetch_creds(fclient, rcx.persona.persona_id)
        mongo = AsyncMongoClient(mongo_conn_str)
        personal_mongo = mongo[rcx.persona.persona_id + "_db"]["personal_mongo"]
    except RuntimeError as e:
        logger.warning("no mongo: %s", e)

    @rcx.on_updated_message
    async def updated_message_in_db(msg: ckit_ask_model.FThreadMessageOutput):
        logger.info("MSG %s %s %s", msg.ftm_id, msg.ftm_role, str(msg.ftm_content)[:40])

    @rcx.on_updated_thread
    async def updated_thread_in_db(th: ckit_ask_model.FThreadOutput):
        logger.info(
            "THREAD %s assistant=%s user=%s coins=%s/%s err=%s latest=%s",
            th.ft_id,
            th.ft_need_assistant,
            th.ft_need_user,
            th.ft_coins,
            th.ft_budget,
            th.ft_error,
            rcx.latest_threads[th.ft_id].ft_title,
        )

    @rcx.on_updated_task
    async def updated_task_in_db(t: ckit_kanban.FPersonaKanbanTaskOutput):
        tasks_seen[t.ktask_id] = t
        logger.info("TASK %s %s %s", t.ktask_column, t.ktask_title, t.ktask_payload_json)

    @rcx.on_erp_change("crm_contact")
    async def contact(action: str, new_record: erp_schema.CrmContact | None, old_record: erp_schema.CrmContact | None):
        if action == "INSERT":
            assert new_record is not None
            logger.info("CONTACT %s %s", new_record.contact_first_name, old_record)
            await ckit_kanban.bot_kanban_post_into_inbox(
                fclient,
                rcx.persona.persona_id,
                "Greet %s" % new_record.contact_first_name,
                json.dumps({"who": new_record.contact_id}),
                "heron saw it",
            )

    @rcx.on_tool_call(CATCH_TOOL.name)
    async def toolcall_catch(toolcall: ckit_cloudtool.FCloudtoolCall, args: dict[str, Any]) -> str:
        n = args["count"] or 1
        if n > setup["max_fish"]:
            return "Error: at most %d" % setup["max_fish"]
        fish.extend([args["size"]] * n)
        return "Caught %d %s in %s, have %d" % (n, args["size"], args["pond"], len(fish))

    @rcx.on_tool_call(STALK_TOOL.name)
    async def toolcall_stalk(toolcall, args):
        N = args["n"]
        subchats = await ckit_ask_model.bot_subchat_create_multiple(
            client=fclient,
            who_is_asking="heron_stalk",
            persona_id=rcx.persona.persona_id,
            first_question=["Stalk %d" % i for i in range(N)],
            first_calls=["null" for _ in range(N)],
            title=["Stalk %d" % i for i in range(N)],
            fcall_id=toolcall.fcall_id,
            fexp_name="stalk",
        )
        raise ckit_cloudtool.WaitForSubchats(subchats)

    @rcx.on_tool_call(RELEASE_TOOL.name)
    async def toolcall_release(toolcall, args):
        if not toolcall.confirmed_by_human:
            raise ckit_cloudtool.NeedsConfirmation(
                confirm_setup_key="release_ok",
                confirm_command="release --all",
                confirm_explanation="This releases %d fish" % len(fish),
            )
        fish.clear()
        return "released"

    @rcx.on_tool_call(SHOW_TOOL.name)
    async def toolcall_show(toolcall, args) -> list[dict[str, str]]:
        return [
            {"m_type": "text", "m_content": "a fish"},
            {
                "m_type": "image/png",
                "m_content": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
            },
        ]

    @rcx.on_tool_call(REPORT_TOOL.name)
    async def toolcall_report(toolcall, args):
        await pdoc_integration.pdoc_create(
            "/ponds/report-%d" % int(time.time()), json.dumps({"report": {"text": args["text"]}}), toolcall.fcall_ft_id
        )
        listing = await pdoc_integration.pdoc_list("/ponds/", toolcall.fcall_ft_id)
        return "written, %d documents" % len(listing)

    @rcx.on_tool_call(fi_mongo_store.MONGO_STORE_TOOL.name)
    async def toolcall_mongo(toolcall, args):
        return await fi_mongo_store.handle_mongo_store(rcx.workdir, personal_mongo, toolcall, args)

    @rcx.on_tool_call(fi_pdoc.POLICY_DOCUMENT_TOOL.name)
    async def toolcall_pdoc(toolcall, args):
        return await pdoc_integration.called_by_model(toolcall, args)

    for t in await ckit_kanban.bot_get_all_tasks(fclient, rcx.persona.persona_id):
        await updated_task_in_db(t)

    try:
        while not ckit_shutdown.shutdown_event.is_set():
            await rcx.unpark_collected_events(sleep_if_no_work=10.0)
    finally:
        logger.info("%s exit", rcx.persona.persona_id)


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name(BOT_NAME, BOT_VERSION), endpoint="/v1/jailed-bot")
    asyncio.run(
        ckit_bot_exec.run_bots_in_this_group(
            fclient,
            marketable_name=BOT_NAME,
            marketable_version_str=BOT_VERSION,
            bot_main_loop=heron_main_loop,
            inprocess_tools=TOOLS,
            scenario_fn=scenario_fn,
            install_func=heron_install.install,
            subscribe_to_erp_tables=["crm_contact"],
        )
    )


if __name__ == "__main__":
    main()
