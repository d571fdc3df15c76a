import asyncio
import logging
from typing import Any

from flexus_client_kit import (
    ckit_bot_exec,
    ckit_bot_version,
    ckit_client,
    ckit_cloudtool,
    ckit_external_auth,
    ckit_integrations_db,
    ckit_kanban,
    ckit_shutdown,
    erp_schema,
)
from hobby_bots.otter import otter_install

logger = logging.getLogger("bot_otter")
BOT_NAME = ckit_bot_version.bot_name_from_file(__file__)
BOT_VERSION = ckit_bot_version.read_version_file(__file__)

COUNT_TOOL = ckit_cloudtool.CloudTool(
    strict=False,
    name="count_otters",
    description="Count",
    parameters={"type": "object", "properties": {"where": {"type": "string"}}},
)
TOOLS = [COUNT_TOOL, *[t for rec in otter_install.INTEGRATIONS for t in rec.integr_tools]]


async def otter_main_loop(fclient: ckit_client.FlexusClient, rcx: ckit_bot_exec.RobotContext) -> None:
    setup = ckit_bot_exec.official_setup_mixing_procedure(otter_install.SETUP_SCHEMA, rcx.persona.persona_setup)
    integr = await ckit_integrations_db.main_loop_integrations_init(otter_install.INTEGRATIONS, rcx, setup)
    pdoc = integr["flexus_policy_document"]
    logger.info("OTTER begins in %s with %s, %s", fclient.ws_id, sorted(integr), BOT_VERSION)

    @rcx.on_tool_call(COUNT_TOOL.name)
    async def toolcall_count(toolcall: ckit_cloudtool.FCloudtoolCall, args: dict[str, Any]):
        fuser = ckit_external_auth.get_fuser_id_from_rcx(rcx, toolcall.fcall_ft_id)
        await pdoc.pdoc_overwrite(
            "/otters/count",
            '{"count": 4}',
            persona_id=rcx.persona.persona_id,
            fcall_untrusted_key=toolcall.fcall_untrusted_key,
        )
        doc = await pdoc.pdoc_cat(
            "/otters/count", persona_id=rcx.persona.persona_id, fcall_untrusted_key=toolcall.fcall_untrusted_key
        )
        http = await fclient.use_http_on_behalf(rcx.persona.persona_id, toolcall.fcall_untrusted_key)
        async with http as h:
            pass
        return ckit_cloudtool.ToolResult(content="4 otters for %s, doc %s" % (fuser, doc.pdoc_content), dollars=0.001)

    @rcx.on_updated_task
    async def updated_task(
        action: str, old: ckit_kanban.FPersonaKanbanTaskOutput | None, new: ckit_kanban.FPersonaKanbanTaskOutput
    ):
        logger.info("TASK %s %s -> %s %s", action, old and old.calc_bucket(), new.calc_bucket(), new.ktask_details)

    @rcx.on_erp_change("party")
    async def party(action: str, old: erp_schema.Party | None, new: erp_schema.Party | None):
        logger.info("PARTY %s old=%s new=%s", action, old and old.party_id, new and new.party_id)

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name(BOT_NAME, BOT_VERSION), endpoint="/v1/jailed-bot")
    asyncio.run(
        ckit_bot_exec.run_bots_in_this_group(
            fclient,
            bot_main_loop=otter_main_loop,
            inprocess_tools=TOOLS,
            scenario_fn=scenario_fn,
            install_func=otter_install.install,
            subscribe_to_erp_tables=["party"],
        )
    )


if __name__ == "__main__":
    main()
