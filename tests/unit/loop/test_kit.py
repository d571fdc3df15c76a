"""The names that bots import: they are there, and do what they do on Botyard."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.loop import effects
from botyard.loop.install import installation_of
from botyard.loop.loading import load_bot
from flexus_client_kit import ckit_ask_model, ckit_bot_version, ckit_cloudtool, ckit_kanban, ckit_mongo

NAMES = {
    "ckit_ask_model": [
        "FThreadMessageOutput",
        "FThreadOutput",
        "bot_subchat_create_multiple",
        "thread_add_user_messages",
    ],
    "ckit_bot_exec": [
        "RobotContext",
        "official_setup_mixing_procedure",
        "parse_bot_args",
        "run_bots_in_this_group",
    ],
    "ckit_bot_install": ["FMarketplaceExpertInput", "marketplace_upsert_dev_bot"],
    "ckit_bot_query": ["FPersonaOutput"],
    "ckit_bot_version": ["bot_name_from_file", "read_version_file"],
    "ckit_client": ["FlexusClient", "bot_service_name"],
    "ckit_cloudtool": ["CloudTool", "FCloudtoolCall", "NeedsConfirmation", "ToolResult", "WaitForSubchats"],
    "ckit_kanban": ["FPersonaKanbanTaskOutput", "bot_kanban_post_into_inbox"],
    "ckit_mongo": ["mongo_fetch_creds"],
    "ckit_shutdown": ["shutdown_event", "wait"],
}

EXAMPLE = """
import asyncio
from flexus_client_kit import ckit_client, ckit_bot_exec, ckit_cloudtool, ckit_shutdown
from flexus_client_kit import ckit_mongo
from kitbot import kitbot_install

MY_TOOL = ckit_cloudtool.CloudTool(
    strict=True, name="my_tool", description="Does something",
    parameters={"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
                "additionalProperties": False})
TOOLS = [MY_TOOL]


async def main_loop(fclient, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(kitbot_install.SCHEMA, rcx.persona.persona_setup)
    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name("kitbot", "1.0.0"), endpoint="/v1/jailed-bot")
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient, marketable_name="kitbot", marketable_version_str="1.0.0", bot_main_loop=main_loop,
        inprocess_tools=TOOLS, scenario_fn=scenario_fn, install_func=kitbot_install.install))


if __name__ == "__main__":
    main()
"""
INSTALL = """
from flexus_client_kit import ckit_bot_install, ckit_cloudtool

SCHEMA = [{"bs_name": "limit", "bs_type": "int", "bs_default": 3, "bs_group": "Main"}]


async def install(client, bot_name, bot_version, tools):
    await ckit_bot_install.marketplace_upsert_dev_bot(
        client, ws_id=client.ws_id, marketable_name=bot_name, marketable_version=bot_version, marketable_author="Ada",
        marketable_experts=[("default", ckit_bot_install.FMarketplaceExpertInput(
            fexp_system_prompt="You are Kit.",
            fexp_allow_tools=",".join(ckit_cloudtool.KANBAN_SAFE | {"my_tool"})))],
        marketable_setup_default=SCHEMA, marketable_daily_budget_default=1_000_000,
        marketable_default_inbox_default=100_000, marketable_max_inprogress=2)
"""


@pytest.mark.parametrize("module", sorted(NAMES))
def test_the_names_of_the_document_are_there(module: str) -> None:
    found = importlib.import_module(f"flexus_client_kit.{module}")
    assert [name for name in NAMES[module] if not hasattr(found, name)] == []


def test_the_document_s_bot_is_loaded_with_what_it_installs(tmp_path: Path) -> None:
    package = tmp_path / "kitbot"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kitbot_bot.py").write_text(EXAMPLE)
    (package / "kitbot_install.py").write_text(INSTALL)
    bot = load_bot(tmp_path)
    installed = installation_of(bot)
    assert (bot.name, [tool.name for tool in bot.tools], installed.problem) == ("kitbot", ["my_tool"], "")
    assert installed.experts["default"].allows("my_tool")
    assert not installed.experts["default"].allows("other")
    assert (installed.daily_budget, installed.task_budget, installed.max_in_progress) == (1_000_000, 100_000, 2)


@pytest.fixture
def caused() -> Iterator[effects.Effects]:
    """What the test causes, as the handler of an event does."""
    found = effects.Effects("event")
    effects.handling(found)
    yield found
    effects.handling(None)


async def test_a_task_is_posted_with_details_as_data_or_as_json(caused: effects.Effects) -> None:
    await ckit_kanban.bot_kanban_post_into_inbox(None, "nora", "A", {"x": 1}, "from mail")
    await ckit_kanban.bot_kanban_post_into_inprogress(None, "nora", "B", '{"y": 2}')
    await ckit_kanban.bot_kanban_post_into_inbox(None, "nora", "C", "call Oslo")
    found = [
        (action["key"], action["payload"]["column"], action["payload"]["ktask_details"]) for action in caused.actions
    ]
    assert found == [
        (":nora", "inbox", {"x": 1, "provenance": "from mail"}),
        (":nora", "inprogress", {"y": 2}),
        (":nora", "inbox", {"description": "call Oslo"}),
    ]


async def test_subchats_answer_the_call_that_waits_for_them(caused: effects.Effects) -> None:
    ids = await ckit_ask_model.bot_subchat_create_multiple(
        None, "bot", "nora", ["a?", "b?"], ["null", "null"], ["A", "B"], "t1.2.0", "reader"
    )
    payloads: list[Any] = [action["payload"] for action in caused.actions]
    assert [action["key"] for action in caused.actions] == [f"nora~{thread}" for thread in ids]
    assert [payload["parent"] for payload in payloads] == [{"thread": "t1", "call": "t1.2.0"}] * 2
    assert [(payload["title"], payload["expert"]) for payload in payloads] == [("A", "reader"), ("B", "reader")]


async def test_a_thread_is_spoken_to(caused: effects.Effects) -> None:
    await ckit_ask_model.thread_add_user_messages(None, "nora~t1", ["one", "two"])
    assert caused.actions[0]["key"] == "nora~t1"
    assert [message["content"] for message in caused.actions[0]["payload"]["messages"]] == ["one", "two"]


async def test_a_bot_without_mongo_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONGODB_URI", raising=False)
    with pytest.raises(RuntimeError, match=r"spec\.mongo"):
        await ckit_mongo.mongo_fetch_creds(None, "nora")
    monkeypatch.setenv("MONGODB_URI", "mongodb://db")
    assert await ckit_mongo.mongo_fetch_creds(None, "nora") == "mongodb://db"


def test_name_and_version_come_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "clerk").mkdir()
    (tmp_path / "VERSION").write_text("1.2.3\n")
    file = str(tmp_path / "clerk/clerk_bot.py")
    assert (ckit_bot_version.bot_name_from_file(file), ckit_bot_version.read_version_file(file)) == ("clerk", "1.2.3")


def test_sets_of_tools_can_be_joined() -> None:
    assert ckit_cloudtool.CLOUDTOOLS_QUITE_A_LOT | ckit_cloudtool.KANBAN_ADVANCED >= ckit_cloudtool.KANBAN_SAFE


async def test_a_task_that_a_handler_moves_says_in_whose_name() -> None:
    found = effects.Effects("event", by={"persona": "nora", "thread": "t1"})
    effects.handling(found)
    try:
        await ckit_kanban.bot_kanban_post_into_inbox(None, "oslo", "A", {})
        await ckit_kanban.bot_kanban_update_details(None, "oslo", "t9", {"x": 1})
        await ckit_kanban.bot_kanban_update_details(None, ktask_id="t9", persona_id="oslo", details_json='{"x": 1}')
    finally:
        effects.handling(None)
    payloads: list[Any] = [action["payload"] for action in found.actions]
    assert [payload["by"] for payload in payloads] == [{"persona": "nora", "thread": "t1"}] * 3
    assert [payload["id"] for payload in payloads[1:]] == ["t9", "t9"]
    assert [action["key"] for action in found.actions] == [":oslo"] * 3
