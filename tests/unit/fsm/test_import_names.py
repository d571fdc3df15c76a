"""The names under which published bots, and the tests of such bots, find things."""

import importlib
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from pydantic import ValidationError

import botyard.fsm
from botyard.fsm import LLMManager, OptionParser, Status
from jb_manager_bot import data_models
from tests.unit.fsm.bots import Sent, bot, step


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


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("jb_manager_bot", "AbstractFSM Variables FSMOutput MessageData MessageType Status UploadFile OptionsListType"),
        (
            "jb_manager_bot.abstract_fsm",
            "ABC AbstractFSM Any BaseModel ButtonMessage Dict Enum FSMIntent FSMOutput ImageMessage List ListMessage "
            "Machine Message MessageType Option Parser ReturnStatus Set Status TextMessage Variables Webhook uuid",
        ),
        (
            "jb_manager_bot.data_models",
            "AudioMessage BaseModel ButtonMessage DialogMessage DialogOption Dict DocumentMessage Enum FSMInput "
            "FSMIntent FSMOutput FormMessage FormReplyMessage ImageMessage InteractiveMessage InteractiveReplyMessage "
            "List ListMessage Message MessageType Option Optional RAGQuery Status TextMessage Webhook model_validator "
            "MessageData OptionsListType UploadFile",
        ),
        ("jb_manager_bot.parsers", "OptionParser Parser option_parser utils"),
        ("jb_manager_bot.parsers.utils", "LLMManager List json"),
        ("jb_manager_bot.parsers.option_parser", "LLMManager OptionParser Parser SYSTEM_PROMPT json"),
    ],
)
def test_bots_that_import_everything_find_every_published_name(module, names):
    found = {}
    exec(f"from {module} import *", found)
    loaded = importlib.import_module(module)
    assert [name for name in names.split() if name not in found and not hasattr(loaded, name)] == []
    if module.endswith(("abstract_fsm", "data_models")):
        assert [name for name in names.split() if name not in found] == []


def test_a_client_is_made_with_what_the_bot_gave_and_nothing_else():
    with patch("jb_manager_bot.parsers.utils.OpenAI") as made:
        LLMManager.get_client(openai_deployment_type="openai", openai_api_key="k")
        LLMManager.get_client(openai_deployment_type="openai")
    assert [call.kwargs for call in made.call_args_list] == [{"api_key": "k"}, {"api_key": None}]


def _asks():
    def ask(self):
        self.status = Status.WAIT_FOR_ME
        self._on_enter_input_logic("colour", options=["Red", "Blue"], message="Which?")
        self.status = Status.WAIT_FOR_USER_INPUT

    return bot([step("zero", "ask")], {"ask": ask})


@pytest.mark.parametrize("target", ["jb_manager_bot.abstract_fsm.Parser", "jb_manager_bot.parsers.Parser"])
def test_a_parser_or_its_method_that_a_test_replaces_is_asked(target):
    answers = {"abstract_fsm": patch(target), "parsers": patch(f"{target}.parse_user_input")}
    with answers[target.split(".")[1]] as replaced:
        method = getattr(replaced, "parse_user_input", replaced) if "abstract" in target else replaced
        method.return_value = {"id": "2"}
        state = _asks().run_machine(Sent(), user_input="the sky", credentials={})
    assert state["main"]["variables"]["colour"] == "Blue"
    method.assert_called_once()


def test_a_manager_that_a_test_replaces_is_asked_by_the_parsers():
    with patch("jb_manager_bot.parsers.option_parser.LLMManager") as manager:
        manager.llm.return_value = '{"id": "2"}'
        assert OptionParser.parse("task", [{"option_id": "2", "option_text": "Blue"}], "sky") == "2"
    manager.llm.assert_called_once()


def test_references_are_made_of_the_uuids_that_a_test_gives():
    with patch("jb_manager_bot.abstract_fsm.uuid.uuid4", return_value="0f8fad5b-d9cb-469f-a165-70867728950e"):
        machine = _asks()(Sent())
        assert machine.get_reference_id() == "jbkey0f8fad5b-d9cb-469f-a165-7jbkey"
    with patch("jb_manager_bot.abstract_fsm.uuid") as replaced:
        replaced.uuid4.return_value = "x" * 36
        assert machine.get_reference_id() == f"jbkey{'x' * 25}jbkey"


@pytest.mark.parametrize(
    "incomplete",
    [
        lambda m: m.ButtonMessage(body="x", options=[]),
        lambda m: m.ListMessage(header="h", body="x", footer="f", options=[]),
        lambda m: m.FormMessage(body="x", form_id="f"),
        lambda m: m.ImageMessage(url="https://x/i.png"),
        lambda m: m.DocumentMessage(url="https://x/d.pdf", name="d.pdf"),
        lambda m: m.Option(option_id="1"),
        lambda m: m.TextMessage(),
        lambda m: m.Message(message_type=m.MessageType.TEXT),
        lambda m: m.FSMOutput(intent=m.FSMIntent.SEND_MESSAGE),
        lambda m: m.FSMOutput(),
        lambda m: m.FSMInput(),
        lambda m: m.FSMInput(user_input="a", callback_input="b"),
        lambda m: m.DialogMessage(dialog_id="SOMETHING"),
        lambda m: m.Webhook(),
        lambda m: m.RAGQuery(collection_name="c"),
    ],
)
def test_messages_without_what_their_kind_needs_cannot_be_made(incomplete):
    with pytest.raises(ValidationError):
        incomplete(data_models)


def test_what_a_helper_shows_is_the_published_output_and_no_member_more():
    sent = Sent()
    machine = _asks()(sent)
    machine._on_enter_display("Which?", options=["Red", "Blue"])
    assert sent[-1].model_dump(mode="json", exclude_none=True) == {
        "intent": "SEND_MESSAGE",
        "message": {
            "message_type": "button",
            "button": {
                "header": "Select Below",
                "body": "Which?",
                "footer": "Please select",
                "options": [{"option_id": "1", "option_text": "Red"}, {"option_id": "2", "option_text": "Blue"}],
            },
        },
    }
