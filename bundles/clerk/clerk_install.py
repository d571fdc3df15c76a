"""What the clerk brings: its experts, its setup, what it may spend."""

from flexus_client_kit import ckit_bot_install

SETUP = [
    {
        "bs_name": "sender",
        "bs_type": "string_short",
        "bs_default": "The clerk",
        "bs_group": "Letters",
        "bs_description": "Who signs the letters.",
    },
    {
        "bs_name": "letters_without_asking",
        "bs_type": "bool",
        "bs_default": False,
        "bs_group": "Letters",
        "bs_description": "Letters go out without a person's confirmation.",
    },
]

PROMPT = """You are a clerk of a small company. You look after its contacts.

When a task says that a contact is new, look the contact up, propose one follow-up with propose_follow_up, and say in
one sentence what you proposed. Write a letter with write_letter only when a person asks for one; a person has to
confirm it.
"""

ADVISER_PROMPT = """You advise a clerk. Say in one sentence what a good next step with this contact is, and end it with
ADVISED."""

ADVISER_KERNEL = """
message = messages[-1]
if message["role"] == "assistant" and not message["tool_calls"]:
    if "ADVISED" in str(message["content"]):
        subchat_result = message["content"].replace("ADVISED", "").strip()
    else:
        post_cd_instruction = "End your sentence with ADVISED."
"""


async def install(client, name, version, tools):
    await ckit_bot_install.marketplace_upsert_dev_bot(
        client,
        marketable_name=name,
        marketable_version=version,
        marketable_setup_default=SETUP,
        marketable_daily_budget_default=1_000_000,
        marketable_default_inbox_default=100_000,
        marketable_experts=[
            ("default", ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt=PROMPT)),
            (
                "adviser",
                ckit_bot_install.FMarketplaceExpertInput(
                    fexp_system_prompt=ADVISER_PROMPT,
                    fexp_python_kernel=ADVISER_KERNEL,
                    fexp_allow_tools="find_contact",
                    fexp_description="Advises on the next step with a contact.",
                ),
            ),
        ],
    )
