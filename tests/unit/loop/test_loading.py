"""Loading a bundle: which module starts the bot, what it declares, what its install function says."""

from pathlib import Path
from textwrap import dedent

import pytest

from botyard.loop.declaration import DeclarationError, version_number, version_string
from botyard.loop.install import installation_of
from botyard.loop.loading import BotNotFoundError, load_bot

DOCUMENTED = """
    import asyncio
    from flexus_client_kit import ckit_client, ckit_bot_exec, ckit_shutdown
    from {package} import {package}_install

    BOT_NAME = "{package}"
    BOT_VERSION = "1.2.3"

    async def main_loop(fclient, rcx):
        while not ckit_shutdown.shutdown_event.is_set():
            await rcx.unpark_collected_events(sleep_if_no_work=10.0)

    def main():
        scenario_fn = ckit_bot_exec.parse_bot_args()
        name = ckit_client.bot_service_name(BOT_NAME, BOT_VERSION)
        fclient = ckit_client.FlexusClient(name, endpoint="/v1/jailed-bot")
        asyncio.run(ckit_bot_exec.run_bots_in_this_group(
            fclient, marketable_name=BOT_NAME, marketable_version_str=BOT_VERSION, bot_main_loop=main_loop,
            inprocess_tools=[], scenario_fn=scenario_fn, install_func={package}_install.install,
            subscribe_to_erp_tables=["crm_contact"],
        ))

    if __name__ == "__main__":
        main()
"""
INSTALL = """
    from botyard.loop.install import FMarketplaceExpertInput, record

    async def install(client, bot_name, bot_version, tools):
        record({
            "marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You are " + bot_name))],
            "marketable_setup_default": [
                {"bs_name": "greeting", "bs_type": "string_short", "bs_default": "Hi", "bs_group": "Main"}],
            "marketable_schedule": [{"sched_type": "SCHED_ANY", "sched_when": "EVERY:5m"}],
            "marketable_daily_budget_default": 100,
        })
"""


def write(folder: Path, **files: str) -> Path:
    for name, source in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))
    return folder


def test_the_documented_start_declares_the_bot(tmp_path: Path) -> None:
    source = DOCUMENTED.format(package="docbot")
    bot = load_bot(write(tmp_path, docbot__docbot_bot=source, docbot__docbot_install=INSTALL, docbot____init__=""))
    assert (bot.name, bot.version, bot.dialect, bot.erp_tables) == ("docbot", "1.2.3", "document", ("crm_contact",))
    installation = installation_of(bot)
    assert installation.problem == ""
    assert installation.experts["default"].fexp_system_prompt == "You are docbot"
    assert installation.setup_schema[0]["bs_name"] == "greeting"
    assert installation.schedules == [{"sched_type": "SCHED_ANY", "sched_when": "EVERY:5m"}]
    assert installation.daily_budget == 100


def test_a_folder_that_is_the_package_itself_is_found_under_its_own_name(tmp_path: Path) -> None:
    source = DOCUMENTED.format(package="flatbot")
    assert load_bot(write(tmp_path / "x", flatbot_bot=source, flatbot_install=INSTALL)).name == "flatbot"


def test_without_a_version_the_client_says_who_the_bot_is(tmp_path: Path) -> None:
    source = """
        import asyncio
        from flexus_client_kit import ckit_client, ckit_bot_exec

        async def main_loop(fclient, rcx):
            pass

        def main():
            fclient = ckit_client.FlexusClient("newbot_100020003")
            asyncio.run(ckit_bot_exec.run_bots_in_this_group(fclient, bot_main_loop=main_loop, inprocess_tools=[]))
    """
    bot = load_bot(write(tmp_path, newbot_bot=source))
    assert (bot.name, bot.version, bot.dialect) == ("newbot", "1.2.3", "code")
    assert installation_of(bot).problem == "the bundle gives no install_func"


def test_a_program_without_main_is_run_as_one(tmp_path: Path) -> None:
    source = """
        import asyncio
        from botyard.loop.declaration import run_bots_in_this_group

        async def loop(fclient, rcx):
            pass

        if __name__ == "__main__":
            asyncio.run(run_bots_in_this_group(None, bot_main_loop=loop, inprocess_tools=[], marketable_name="plain"))
    """
    assert load_bot(write(tmp_path, plain_program=source)).name == "plain"


def test_a_bundle_that_starts_no_bot_says_so(tmp_path: Path) -> None:
    with pytest.raises(BotNotFoundError, match="No module calls run_bots_in_this_group"):
        load_bot(write(tmp_path, quietmodule="x = 1"))


def test_two_modules_that_start_bots_are_named(tmp_path: Path) -> None:
    source = "run_bots_in_this_group(None)"
    with pytest.raises(BotNotFoundError, match="first_bot, second_bot"):
        load_bot(write(tmp_path, first_bot=source, second_bot=source))


def test_a_main_that_declares_nothing_is_an_error(tmp_path: Path) -> None:
    source = """
        def main():
            if False:
                run_bots_in_this_group()
    """
    with pytest.raises(BotNotFoundError, match="ended without a call"):
        load_bot(write(tmp_path, idle_bot=source))


def test_what_the_bundle_raises_is_raised(tmp_path: Path) -> None:
    source = """
        def main():
            run_bots_in_this_group
            raise SystemExit("no key")
        run_bots_in_this_group = lambda: None
        run_bots_in_this_group()
    """
    with pytest.raises(SystemExit, match="no key"):
        load_bot(write(tmp_path, exiting_bot=source))


def test_a_tool_that_is_not_strict_as_it_says_is_refused(tmp_path: Path) -> None:
    source = """
        import asyncio
        from botyard.loop.declaration import run_bots_in_this_group
        from botyard.loop.tools import CloudTool

        async def loop(fclient, rcx):
            pass

        TOOL = CloudTool(strict=True, name="look", description="", parameters={
            "type": "object", "properties": {"a": {"type": "object", "properties": {"b": {}}, "required": ["b"]}},
            "required": ["a"], "additionalProperties": False})

        def main():
            asyncio.run(run_bots_in_this_group(None, bot_main_loop=loop, inprocess_tools=[TOOL], marketable_name="x"))
    """
    with pytest.raises(DeclarationError, match=r"look\.a: a strict tool needs additionalProperties"):
        load_bot(write(tmp_path, strict_bot=source))


def test_a_failing_install_function_leaves_the_bot_usable(tmp_path: Path) -> None:
    install = "def install(client, name, version, tools):\n    raise FileNotFoundError('picture.webp')\n"
    source = DOCUMENTED.format(package="picbot")
    bot = load_bot(write(tmp_path, picbot__picbot_bot=source, picbot__picbot_install=install))
    installation = installation_of(bot)
    assert installation.problem == "FileNotFoundError: picture.webp"
    assert list(installation.experts) == ["default"]


@pytest.mark.parametrize(("text", "number"), [("1.2.3", 100020003), ("0.0.1", 1), ("10.0.9999", 1000009999)])
def test_versions_are_numbers_and_back(text: str, number: int) -> None:
    assert (version_number(text), version_string(number)) == (number, text)


@pytest.mark.parametrize("text", ["1.2", "1.2.x", "", "1.2.10000"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        version_number(text)
