"""Integrations that bots take over by name: what works, what says what is missing, what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from botyard.loop import effects, integrations
from botyard.loop.context import RobotContext
from botyard.loop.integrations import UnknownIntegration
from botyard.loop.integrations.accounts import ACCOUNTS
from botyard.loop.parking import Parked, Parking
from botyard.loop.personas import FPersonaOutput
from botyard.loop.setup import parse_schema
from botyard.loop.shutdown import Shutdown
from botyard.loop.tools import FCloudtoolCall
from flexus_client_kit.ckit_integrations_db import main_loop_integrations_init, static_integrations_load
from flexus_client_kit.integrations.fi_pdoc import IntegrationPdoc, PdocUpdate, _load_pdoc_schema
from flexus_client_kit.integrations.fi_slack import SLACK_SETUP_SCHEMA, IntegrationSlack
from tests.unit.loop.test_documents import Memory

PUBLISHED = [
    "flexus_policy_document", "print_widget", "skills", "google_calendar", "linkedin", "gmail", "slack", "telegram",
    "erp[meta, data]", "facebook[campaign, adset, ad, account]", "jira", "airtable", "google_ads", "google_business",
    "google_docs", "google_sheets", "hubspot", "notion", "twilio", "x",
]  # fmt: skip


@pytest.fixture
async def rcx(tmp_path: Path) -> AsyncIterator[RobotContext]:
    parking = Parking()
    parking.attach(asyncio.get_running_loop())
    memory = Memory()
    effects.asking(memory.ask)
    yield RobotContext(
        fclient=None, persona=FPersonaOutput("nora"), workdir=tmp_path, shutdown=Shutdown(), parking=parking,
        ask=memory.ask,
    )  # fmt: skip
    effects.asking(None)


async def call(rcx: RobotContext, tool: str, arguments: str) -> str:
    """The model calls a tool."""
    event = Parked("call", (FCloudtoolCall("c1", "t1", tool, arguments),), "e1", tool)
    rcx._parking.park(event)
    await rcx.unpark_collected_events(0)
    content: str = event.done.result().content
    return content


@pytest.mark.parametrize("name", PUBLISHED)
async def test_what_published_bots_ask_for_begins_and_its_tools_answer(rcx: RobotContext, name: str) -> None:
    records = static_integrations_load(rcx.workdir, [name])
    begun = await main_loop_integrations_init(records, rcx, {})
    assert set(begun) == {name.partition("[")[0]}
    for record in records:
        for tool in record.integr_tools:
            tool.openai_style_tool()
            answer = await call(rcx, tool.name, '{"op": "help", "name": "none", "t": "upload", "q": ""}')
            assert answer
            assert "Tool error" not in answer


async def test_a_service_without_an_account_says_so_and_the_bot_goes_on(rcx: RobotContext) -> None:
    await main_loop_integrations_init(static_integrations_load(rcx.workdir, ["jira"]), rcx, {})
    assert "no account of Jira" in await call(rcx, "jira", '{"op": "search"}')
    slack = IntegrationSlack(None, rcx, SLACK_BOT_TOKEN="")
    with pytest.raises(RuntimeError, match="no account of Slack"):
        await slack.join_channels()
    assert "no account of Slack" in await slack.called_by_model(None, {})
    assert parse_schema(SLACK_SETUP_SCHEMA)


async def test_a_name_that_nobody_knows_is_told_with_those_there_are(rcx: RobotContext) -> None:
    with pytest.raises(UnknownIntegration, match="there are: airtable"):
        static_integrations_load(rcx.workdir, ["carrier_pigeon"])
    assert set(ACCOUNTS) < set(integrations.names())


async def test_an_expert_keeps_documents(rcx: RobotContext) -> None:
    await main_loop_integrations_init(static_integrations_load(rcx.workdir, "flexus_policy_document"), rcx)
    tool = "flexus_policy_document"
    said = await call(rcx, tool, '{"op": "create", "args": {"p": "/plan", "text": "{\\"title\\": \\"old\\"}"}}')
    assert said == "/plan has version 1"
    await call(rcx, tool, '{"op": "update_at_location", "args": {"p": "/plan", "update_at": "title", "text": "new"}}')
    assert '"title": "new"' in await call(rcx, tool, '{"op": "cat", "args": {"p": "/plan"}}')
    assert (await call(rcx, tool, '{"op": "cat", "args": {"p": "/none"}}')).startswith("Error: there is no document")
    assert (await call(rcx, tool, '{"op": "cat"}')).startswith("Error: args lacks 'p'")
    assert "op=" in await call(rcx, tool, '{"op": "fly"}')


@pytest.mark.parametrize(
    "who", [(("fuser1",), {}), ((), {"persona_id": "nora", "fcall_untrusted_key": "k"})], ids=["user", "persona"]
)
async def test_a_bot_s_code_keeps_documents_in_both_shapes(rcx: RobotContext, who: Any) -> None:
    positional, named = who
    pdoc = IntegrationPdoc(rcx, rcx.persona.ws_root_group_id)
    await pdoc.pdoc_create("/plan", '{"n": 1}', *positional, **named)
    await pdoc.pdoc_overwrite("/plan", '{"n": 2}', *positional, **named)
    found = await pdoc.pdoc_cat("/plan", *positional, **named)
    assert found.pdoc_content == {"n": 2}
    with pytest.raises(Exception, match="no document /none"):
        await pdoc.pdoc_cat("/none", *positional, **named)


async def test_an_update_over_somebody_else_s_is_told_not_made(rcx: RobotContext) -> None:
    pdoc = IntegrationPdoc(rcx)
    await pdoc.pdoc_create("/plan", '{"n": 1}', "")
    found = await pdoc.pdoc_cat("/plan")
    saved = await pdoc.pdoc_update_at_location("/plan", found.md5, "n", 2)
    assert isinstance(saved, PdocUpdate)
    assert saved.changes_saved
    late = await pdoc.pdoc_update_at_location("/plan", found.md5, "n", 3)
    assert (late.changes_saved, late.md5_requested) == (False, found.md5)
    assert late.md5_found != found.md5


def test_the_schema_of_plans_has_its_sections() -> None:
    schema = _load_pdoc_schema("plan")
    assert list(schema) == ["section01-input", "section02-draft-plan", "section03-progress", "section04-conclusion"]
    assert all("properties" in section for section in schema.values())
