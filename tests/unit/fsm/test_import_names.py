"""The names under which published bots, and the tests of such bots, find things."""

import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

import botyard.fsm
from botyard.fsm import LLMManager


def test_modules_are_attributes_of_the_package():
    code = (
        "import jb_manager_bot as j; "
        "j.abstract_fsm.AbstractFSM, j.data_models.FSMOutput, j.parsers.Parser, j.parsers.utils.LLMManager, "
        "j.parsers.option_parser.OptionParser"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_a_bots_names_does_not_import_a_model_client():
    code = "import sys, jb_manager_bot.parsers.utils; sys.exit('openai' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "credentials"),
    [
        ("OpenAI", {"openai_api_key": "k"}),
        ("AzureOpenAI", {"azure_openai_api_key": "k", "azure_endpoint": "https://models.test"}),
        (
            "AzureOpenAI",
            {"openai_deployment_type": "azure", "openai_api_endpoint": "https://m.test", "openai_api_key": "k"},
        ),
    ],
)
def test_a_client_class_that_is_replaced_where_bots_find_it_is_used(name, credentials):
    pytest.importorskip("openai")
    with patch(f"jb_manager_bot.parsers.utils.{name}") as made:
        assert LLMManager.get_client(**credentials) is made.return_value
    made.assert_called_once()


def test_no_module_of_the_library_imports_the_machine_that_is_built_on_it():
    folder = Path(botyard.fsm.__file__).parent
    beneath = [*folder.glob("helpers/*.py"), *(folder / f"{name}.py" for name in ("plugins", "session", "variables"))]
    assert [path.name for path in beneath if "botyard.fsm.machine" in path.read_text()] == []
