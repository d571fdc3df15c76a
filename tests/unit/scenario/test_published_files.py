"""Scenario files of the existing kit as they lie in published bots: beside the code, unchanged, without accounts."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from botyard.scenario.command import main

BOT = """
import asyncio
from pathlib import Path

from pymongo import AsyncMongoClient

from flexus_client_kit import ckit_ask_model, ckit_bot_exec, ckit_bot_version, ckit_client, ckit_cloudtool
from flexus_client_kit import ckit_mongo, ckit_shutdown
from toad import toad_install

NAME = ckit_bot_version.bot_name_from_file(__file__)
VERSION = ckit_bot_version.read_version_file(__file__)


def tool(name, *arguments):
    properties = {argument: {"type": "string"} for argument in arguments}
    return ckit_cloudtool.CloudTool(
        strict=True, name=name, description=name,
        parameters={"type": "object", "properties": properties, "required": list(arguments),
                    "additionalProperties": False})


TOOLS = [tool("croak", "loud"), tool("remember", "what"), tool("erase", "what"), tool("ask_toads", "q"), tool("setup")]


async def main_loop(fclient, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(toad_install.SETUP, rcx.persona.persona_setup)
    mongo = AsyncMongoClient(await ckit_mongo.mongo_fetch_creds(fclient, rcx.persona.persona_id))
    notes = mongo[rcx.persona.persona_id + "_db"]["notes"]

    @rcx.on_tool_call("croak")
    async def croak(toolcall, args):
        return "CROAK" if args["loud"] == "yes" else "croak"

    @rcx.on_tool_call("remember")
    async def remember(toolcall, args):
        await notes.insert_one({"what": args["what"]})
        return "remembered"

    @rcx.on_tool_call("erase")
    async def erase(toolcall, args):
        if not toolcall.confirmed_by_human:
            raise ckit_cloudtool.NeedsConfirmation(
                confirm_setup_key="erase_without_asking", confirm_command="erase " + args["what"],
                confirm_explanation="It is gone then.")
        return "erased " + args["what"]

    @rcx.on_tool_call("ask_toads")
    async def ask_toads(toolcall, args):
        raise ckit_cloudtool.WaitForSubchats(await ckit_ask_model.bot_subchat_create_multiple(
            client=fclient, who_is_asking="toad", persona_id=rcx.persona.persona_id, first_question=[args["q"]],
            first_calls=["null"], title=["Toads"], fcall_id=toolcall.fcall_id, fexp_name="elder"))

    @rcx.on_tool_call("setup")
    async def show(toolcall, args):
        return f"{setup['size']} {setup['colour']}"

    try:
        while not ckit_shutdown.shutdown_event.is_set():
            await rcx.unpark_collected_events(sleep_if_no_work=10.0)
    finally:
        await mongo.close()


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name(NAME, VERSION), endpoint="/v1/jailed-bot")
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient, bot_main_loop=main_loop, inprocess_tools=TOOLS, scenario_fn=scenario_fn,
        install_func=toad_install.install))


if __name__ == "__main__":
    main()
"""
INSTALL = """
from pathlib import Path
from flexus_client_kit import ckit_bot_install

SETUP = [
    {"bs_name": "size", "bs_type": "int", "bs_default": 3, "bs_group": "Toad"},
    {"bs_name": "colour", "bs_type": "string_short", "bs_default": "green", "bs_group": "Toad"},
]
EXPERTS = [
    ("default", ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt="You are a toad.")),
    ("elder", ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt="You are old.")),
]


async def install(client) -> int:
    made = await ckit_bot_install.marketplace_upsert_dev_bot(
        client, ws_id=client.ws_id, bot_dir=Path(__file__).parent, marketable_setup_default=SETUP,
        marketable_experts=EXPERTS)
    return made.marketable_version
"""
FILE = """
persona_marketable_name: toad
fake_connected_providers: []
judge_instructions: The toad croaks.
messages:
- role: user
  content: {question}
- role: assistant
  content: ''
  tool_calls:
  - id: call_1
    type: function
    function: {{name: {tool}, arguments: {arguments}}}
- role: tool
  call_id: call_1
  content: {result}
- role: assistant
  content: Done.
"""


@pytest.fixture(autouse=True)
def _own_packages() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("toad"):
            del sys.modules[name]


@pytest.fixture
def toad(tmp_path: Path) -> Path:
    """A published bot: a package in a folder with its VERSION, scenario files beside the code."""
    package = tmp_path / "toad"
    package.mkdir()
    (tmp_path / "VERSION").write_text("0.2.1\n")
    (package / "__init__.py").write_text("")
    (package / "toad_bot.py").write_text(BOT)
    (package / "toad_install.py").write_text(INSTALL)
    (package / "setup_schema.yaml").write_text("not: a scenario\n")
    return package


def write(toad: Path, tool: str, arguments: dict[str, str], result: str, name: str = "toad__try.yaml") -> Path:
    given = {"question": f"Use {tool}.", "tool": tool, "result": json.dumps(result)}
    (toad / name).write_text(dedent(FILE).format(**given, arguments=json.dumps(json.dumps(arguments))))
    return toad / name


@pytest.mark.parametrize(
    ("tool", "arguments", "result"),
    [
        ("croak", {"loud": "yes"}, "CROAK"),
        ("remember", {"what": "flies"}, "remembered"),
        ("erase", {"what": "flies"}, "erased flies"),
        ("ask_toads", {"q": "Rain?"}, "It will rain."),
        ("a_tool_of_the_platform", {"op": "list"}, "nothing"),
    ],
    ids=["handler", "no-database", "confirmed-by-a-person", "subchat", "no-handler"],
)
def test_a_conversation_that_went_well_is_gone_through_again(
    toad: Path, tool: str, arguments: dict[str, str], result: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(toad, tool, arguments, result)
    assert main([str(file)]) == 0, capsys.readouterr().out


def test_files_beside_the_code_are_found(toad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(toad, "croak", {"loud": "no"}, "croak", "toad__one.yaml")
    write(toad, "croak", {"loud": "no"}, "croak", "elder__two.yaml")
    assert main([str(toad.parent)]) == 0, capsys.readouterr().out
    assert "2 passed" in capsys.readouterr().out


def test_a_handler_that_fails_fails_the_file(toad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (toad / "toad_bot.py").read_text()
    (toad / "toad_bot.py").write_text(code.replace('return "CROAK"', 'return 1 / 0, "CROAK"'))
    assert main([str(write(toad, "croak", {"loud": "yes"}, "CROAK"))]) == 1
    assert "Tool error, see logs for details" in capsys.readouterr().out


def test_the_bots_own_command_line_takes_the_kits_options_and_ours(toad: Path, tmp_path: Path) -> None:
    file = write(toad, "setup", {}, "7 red")
    script = toad / "toad__try.model-script.yaml"
    script.write_text(
        "rules:\n- when: {last_role: tool}\n  reply: {text: 'Size and colour: {last}'}\n"
        "- reply: {tool_calls: [{name: setup, arguments: {}}]}\n"
    )
    options = [
        "--model",
        "gpt-4o,o1",
        "--experiment",
        "x",
        "--no-cleanup",
        "--setup",
        "size=7",
        "--setup",
        "colour=red",
    ]
    results = tmp_path / "results.json"
    ran = subprocess.run(
        [sys.executable, "-m", "toad.toad_bot", "--scenario", str(file), *options, "--json", str(results)],
        cwd=toad.parent, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(results.read_text())["passed"] == 1


def test_results_are_written_as_json(toad: Path, tmp_path: Path) -> None:
    good = write(toad, "croak", {"loud": "yes"}, "CROAK", "toad__good.yaml")
    bad = write(toad, "croak", {"loud": "yes"}, "CROAK", "toad__bad.yaml")
    bad.write_text(bad.read_text().replace("loud", "load"))
    results = tmp_path / "results.json"
    assert main([str(toad.parent), "--json", str(results)]) == 1
    told = json.loads(results.read_text())
    assert (told["passed"], told["failed"], "judge" in told) == (1, 1, False)
    failed, passed = told["scenarios"]
    assert (passed["file"], passed["passed"], passed["problems"]) == (str(good), True, [])
    assert (failed["file"], failed["line"], failed["passed"]) == (str(bad), 6, False)
    assert "'loud' is a required property" in "\n".join(failed["problems"])


def test_where_results_cannot_be_written_the_exit_code_tells(toad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(toad, "croak", {"loud": "yes"}, "CROAK")
    assert main([str(file), "--json", str(toad / "missing" / "results.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
