import asyncio
import base64
import json

from flexus_client_kit import ckit_bot_install, ckit_client
from hobby_bots import prompts_common
from hobby_bots.heron import heron_prompts

BOT_DESCRIPTION = """## Heron\nWaits for fish."""

heron_setup_schema = [
    {
        "bs_name": "greeting_style",
        "bs_type": "string_short",
        "bs_default": "polite",
        "bs_group": "Behavior",
        "bs_order": 1,
        "bs_importance": 0,
        "bs_description": "How Heron greets",
    },
    {"bs_name": "max_fish", "bs_type": "int", "bs_default": 3, "bs_group": "Behavior", "bs_order": 2},
    {"bs_name": "patience", "bs_type": "float", "bs_default": 0.5, "bs_group": "Behavior"},
    {"bs_name": "night_mode", "bs_type": "bool", "bs_default": False, "bs_group": "Behavior"},
    {
        "bs_name": "ponds",
        "bs_type": "list_dict",
        "bs_default": [{"name": "north"}],
        "bs_group": "Ponds",
        "bs_elements": [{"bs_name": "name", "bs_type": "string_short", "bs_default": "", "bs_group": "Ponds"}],
    },
]

STALK_LARK = """
msg = messages[-1]
if msg["role"] == "assistant" and not msg["tool_calls"]:
    if "STALKED" in str(msg["content"]):
        subchat_result = msg["content"]
    else:
        post_cd_instruction = "Say STALKED."
"""


async def install(client: ckit_client.FlexusClient, bot_name: str, bot_version: str, tools: list):
    internal = json.dumps([t.openai_style_tool() for t in tools])
    await ckit_bot_install.marketplace_upsert_dev_bot(
        client,
        ws_id=client.ws_id,
        marketable_name=bot_name,
        marketable_version=bot_version,
        marketable_accent_color="#223344",
        marketable_title1="Heron",
        marketable_title2="Patient bird",
        marketable_author="Hobby",
        marketable_occupation="Fisher",
        marketable_description=BOT_DESCRIPTION,
        marketable_typical_group="Nature",
        marketable_github_repo="https://example.com/hobby.git",
        marketable_run_this="python -m hobby_bots.heron.heron_bot",
        marketable_setup_default=heron_setup_schema,
        marketable_featured_actions=[
            {"feat_question": "Catch one", "feat_expert": "default", "feat_depends_on_setup": []}
        ],
        marketable_intro_message="Hi",
        marketable_preferred_model_default="any",
        marketable_daily_budget_default=100_000,
        marketable_default_inbox_default=10_000,
        marketable_max_inprogress=2,
        marketable_experts=[
            (
                "default",
                ckit_bot_install.FMarketplaceExpertInput(
                    fexp_system_prompt=heron_prompts.short_prompt,
                    fexp_python_kernel="",
                    fexp_block_tools="*setup*",
                    fexp_allow_tools="",
                    fexp_app_capture_tools=internal,
                    fexp_description="Main",
                ),
            ),
            (
                "stalk",
                ckit_bot_install.FMarketplaceExpertInput(
                    fexp_system_prompt=heron_prompts.stalk_prompt,
                    fexp_python_kernel=STALK_LARK,
                    fexp_block_tools="*",
                    fexp_allow_tools="",
                    fexp_app_capture_tools=internal,
                ),
            ),
        ],
        marketable_tags=["Nature"],
        marketable_picture_big_b64=base64.b64encode(b"x").decode("ascii"),
        marketable_picture_small_b64=base64.b64encode(b"x").decode("ascii"),
        marketable_schedule=[
            prompts_common.SCHED_TASK_SORT_10M | {"sched_when": "EVERY:1m"},
            prompts_common.SCHED_TODO_5M | {"sched_when": "EVERY:1m", "sched_first_question": "Work!"},
        ],
        marketable_forms=ckit_bot_install.load_form_bundles(__file__),
    )


if __name__ == "__main__":
    from hobby_bots.heron import heron_bot

    client = ckit_client.FlexusClient("heron_install")
    asyncio.run(install(client, bot_name=heron_bot.BOT_NAME, bot_version=heron_bot.BOT_VERSION, tools=heron_bot.TOOLS))
