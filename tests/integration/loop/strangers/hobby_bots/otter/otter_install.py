import json
from pathlib import Path

from flexus_client_kit import ckit_bot_install, ckit_client, ckit_cloudtool, ckit_integrations_db, ckit_skills
from flexus_client_kit.integrations import fi_slack

OTTER_ROOTDIR = Path(__file__).parent
SETUP_SCHEMA = json.loads((OTTER_ROOTDIR / "setup_schema.json").read_text()) + fi_slack.SLACK_SETUP_SCHEMA
SKILLS = ckit_skills.static_skills_find(OTTER_ROOTDIR, shared_skills_allowlist="", integration_skills_allowlist="")
INTEGRATIONS = ckit_integrations_db.static_integrations_load(
    OTTER_ROOTDIR,
    allowlist=["flexus_policy_document", "skills", "print_widget", "slack", "erp[meta, data]"],
    builtin_skills=SKILLS,
)
EXPERTS = [
    (
        "default",
        ckit_bot_install.FMarketplaceExpertInput(
            fexp_system_prompt="You are Otter.",
            fexp_python_kernel="",
            fexp_allow_tools=",".join(
                ckit_cloudtool.CLOUDTOOLS_QUITE_A_LOT
                | ckit_cloudtool.KANBAN_SAFE
                | {"count_otters"}
                | {t.name for rec in INTEGRATIONS for t in rec.integr_tools}
            ),
            fexp_nature="NATURE_INTERACTIVE",
            fexp_model_class="smart",
            fexp_inactivity_timeout=600,
            fexp_builtin_skills=ckit_skills.read_name_description(OTTER_ROOTDIR, SKILLS),
            fexp_description="Main expert",
        ),
    ),
]


async def install(client: ckit_client.FlexusClient) -> int:
    from hobby_bots.otter import otter_bot

    r = await ckit_bot_install.marketplace_upsert_dev_bot(
        client,
        ws_id=client.ws_id,
        bot_dir=OTTER_ROOTDIR,
        marketable_accent_color="#112233",
        marketable_title1="Otter",
        marketable_setup_default=SETUP_SCHEMA,
        marketable_daily_budget_default=1_000_000,
        marketable_default_inbox_default=100_000,
        marketable_max_inprogress=2,
        marketable_experts=[(name, exp.filter_tools(otter_bot.TOOLS)) for name, exp in EXPERTS],
        marketable_schedule=[],
        marketable_auth_supported=["slack"],
        marketable_auth_scopes={"slack": []},
    )
    return r.marketable_version
