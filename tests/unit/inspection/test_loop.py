"""What `botyard inspect` tells of a loop bundle."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from botyard.inspection import inspect_bundle

BOT = """
    import asyncio
    from flexus_client_kit import ckit_bot_exec, ckit_client
    from botyard.loop import CloudTool, FMarketplaceExpertInput
    from botyard.loop.install import record

    ANY = {"type": "object", "properties": {}}
    TOOLS = [CloudTool(strict=False, name=name, description="", parameters=ANY) for name in ("look", "write")]

    def install(client, name, version, tools):
        INSTALL
        record({
            "marketable_experts": [("default", FMarketplaceExpertInput()), ("reader", FMarketplaceExpertInput(
                fexp_description="reads", fexp_allow_tools="look"))],
            "marketable_setup_default": [
                {"bs_name": "greeting", "bs_type": "string_short", "bs_default": "Hi", "bs_group": "Main"}],
        })

    async def main_loop(fclient, rcx):
        @rcx.on_tool_call("look")
        async def look(call, args):
            return "seen"

        HANDLER

    def main():
        asyncio.run(ckit_bot_exec.run_bots_in_this_group(
            ckit_client.FlexusClient("NAME_100020003"), bot_main_loop=main_loop, inprocess_tools=TOOLS,
            install_func=install, subscribe_to_erp_tables=["crm_contact"]))
"""


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


HANDLER = 'rcx.on_tool_call("write")(look)'


def write(folder: Path, name: str, install: str = "pass", handler: str = HANDLER) -> Path:
    text = dedent(BOT).replace("NAME", name).replace("INSTALL", install).replace("HANDLER", handler)
    (folder / f"{name}_bot.py").write_text(text)
    return folder


def test_tools_experts_setup_and_tables_are_told(tmp_path: Path) -> None:
    manifest, _ = inspect_bundle(write(tmp_path, "teller"))
    assert (manifest.model, manifest.name, manifest.version, manifest.findings) == ("loop", "teller", "1.2.3", ())
    assert manifest.entrypoint.module == "teller_bot"
    assert [tool["name"] for tool in manifest.extra["tools"]] == ["look", "write"]
    assert manifest.extra["experts"]["reader"] == {"description": "reads", "tools": ["look"]}
    assert manifest.extra["setup"][0]["bs_name"] == "greeting"
    assert manifest.extra["erpTables"] == ["crm_contact"]


def test_an_install_function_that_fails_is_a_warning(tmp_path: Path) -> None:
    manifest, _ = inspect_bundle(write(tmp_path, "failer", "raise OSError('no picture')"))
    assert manifest.sound
    assert [(finding.code, finding.severity) for finding in manifest.findings] == [("NotInstalled", "warning")]
    assert "no picture" in manifest.findings[0].message


def test_a_tool_that_nothing_handles_is_a_warning(tmp_path: Path) -> None:
    manifest, _ = inspect_bundle(write(tmp_path, "deaf", handler="pass"))
    assert manifest.sound
    assert [(finding.code, finding.subject) for finding in manifest.findings] == [("ToolWithoutHandler", "write")]


def test_nothing_is_said_of_handlers_that_cannot_be_read(tmp_path: Path) -> None:
    handler = "for name in TOOLS: rcx.on_tool_call(name.name)(look)"
    manifest, _ = inspect_bundle(write(tmp_path, "clever", handler=handler))
    assert manifest.findings == ()


def test_a_kernel_that_is_no_starlark_is_an_error_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path, "kernel")
    file = folder / "kernel_bot.py"
    text = file.read_text().replace('fexp_description="reads"', 'fexp_python_kernel="while True:\\n  pass"')
    file.write_text(text)
    manifest, _ = inspect_bundle(folder)
    assert not manifest.sound
    assert [(finding.code, finding.subject) for finding in manifest.findings] == [("KernelInvalid", "reader")]
    assert "kernel:1" in manifest.findings[0].message


def test_code_that_cannot_be_loaded_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken_bot.py").write_text(
        "import flexus_client_kit\nimport nothing_of_that_name\nrun_bots_in_this_group()\n"
    )
    manifest, _ = inspect_bundle(tmp_path)
    assert not manifest.sound
    assert (manifest.findings[0].code, manifest.findings[0].where) == ("LoadFailed", "broken_bot.py:2")
