"""Every name that bots import from the kit is there."""

import inspect
from importlib import import_module

import pytest

DOCUMENT = """
ckit_ask_model: FThreadMessageOutput FThreadOutput
ckit_bot_exec: RobotContext official_setup_mixing_procedure parse_bot_args run_bots_in_this_group
ckit_bot_query: FPersonaOutput
ckit_client: FlexusClient bot_service_name
ckit_cloudtool: CloudTool FCloudtoolCall NeedsConfirmation WaitForSubchats
ckit_kanban: FPersonaKanbanTaskOutput
ckit_mongo: mongo_fetch_creds
ckit_shutdown: shutdown_event wait
erp_schema: CrmContact CrmDeal
"""
PUBLISHED = """
ckit_ask_model: FThreadMessageInput bot_activate bot_subchat_create_multiple captured_thread_lookup groupchat_invite
ckit_ask_model: thread_add_user_messages
ckit_bot_install: FMarketplaceExpertInput bot_install_from_marketplace load_form_bundles marketplace_upsert_dev_bot
ckit_bot_version: bot_name_from_file read_version_file
ckit_cloudtool: CLOUDTOOLS_NOT_KANBAN CLOUDTOOLS_QUITE_A_LOT CLOUDTOOLS_SCARY_TOOLS KANBAN_ADVANCED KANBAN_BOSS
ckit_cloudtool: KANBAN_SAFE ToolResult gql_error_4xx_to_model_reraise_5xx sanitize_args try_best_to_find_argument
ckit_external_auth: get_fuser_id_from_rcx
ckit_integrations_db: GOOGLE_OAUTH_BASE_SCOPES IntegrationRecord main_loop_integrations_init static_integrations_load
ckit_kanban: bot_get_all_tasks bot_kanban_post_into_inbox bot_kanban_post_into_inprogress bot_kanban_update_details
ckit_kanban: get_tasks_by_thread
ckit_mongo: mongo_ls mongo_mv mongo_overwrite mongo_retrieve_file mongo_rm mongo_store_file
ckit_scenario: scenario_generate_tool_result_via_model
ckit_shutdown: give_ws_client spiral_down_now take_away_ws_client
ckit_skills: read_name_description static_skills_find
erp_schema: Party
integrations.fi_mcp: mcp_launch mcp_setup_schema mcp_tools
integrations.fi_postgres: IntegrationPostgres POSTGRES_TOOL
integrations.fi_mongo_store: MONGO_STORE_TOOL handle_mongo_store
integrations.fi_pdoc: HELP IntegrationPdoc POLICY_DOCUMENT_TOOL PdocDocument PdocUpdate _load_pdoc_schema
integrations.fi_slack: IntegrationSlack SLACK_SETUP_SCHEMA
integrations.fi_x: REQUIRED_SCOPES
"""


def names(listed: str) -> list[tuple[str, str]]:
    lines = [line.split(": ") for line in listed.split("\n") if line]
    return [(module, name) for module, found in lines for name in found.split()]


@pytest.mark.parametrize(("module", "name"), names(DOCUMENT + PUBLISHED))
def test_a_name_that_bots_import_is_there_and_says_what_it_is(module: str, name: str) -> None:
    found = getattr(import_module(f"flexus_client_kit.{module}"), name)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert inspect.getdoc(found)


def test_exceptions_that_bots_catch_are_those_of_the_library() -> None:
    exceptions = import_module("gql.transport.exceptions")
    assert issubclass(exceptions.TransportQueryError, exceptions.TransportError)


@pytest.mark.parametrize("module", ["ckit_bot_exec", "ckit_cloudtool", "ckit_integrations_db", "erp_schema"])
def test_modules_import_alone(module: str) -> None:
    assert import_module(f"flexus_client_kit.{module}")


def test_members_of_the_document_are_there() -> None:
    kit = {
        "ckit_bot_query.FPersonaOutput": "persona_id persona_setup ws_id ws_root_group_id persona_marketable_name "
        "persona_daily_budget persona_daily_coins",
        "ckit_ask_model.FThreadMessageOutput": "ftm_ft_id ftm_role ftm_content ftm_tool_calls ftm_provenance",
        "ckit_ask_model.FThreadOutput": "ft_id ft_title ft_need_assistant ft_need_tool_calls ft_need_user ft_error "
        "ft_coins ft_budget",
        "ckit_kanban.FPersonaKanbanTaskOutput": "ktask_id ktask_title ktask_details ktask_budget ktask_coins",
        "ckit_cloudtool.FCloudtoolCall": "fcall_id fcall_ft_id fcall_name fcall_arguments ws_id connected_persona_id "
        "confirmed_by_human fcall_untrusted_key",
    }
    for place, members in kit.items():
        module, _, name = place.partition(".")
        found = getattr(import_module(f"flexus_client_kit.{module}"), name)
        assert set(members.split()) <= set(inspect.signature(found).parameters)
    message = import_module("flexus_client_kit.ckit_ask_model").FThreadMessageOutput("t1", 3, "user")
    assert message.ftm_id == "t1:100:003"
    task = import_module("flexus_client_kit.ckit_kanban").FPersonaKanbanTaskOutput("t1")
    assert (task.ktask_column, task.ktask_description, task.ktask_payload_json) == ("inbox", "", "{}")
