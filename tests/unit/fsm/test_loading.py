"""How the bot of a bundle is found."""

import sys

import pytest

from botyard.fsm import BotNotFoundError
from botyard.fsm.loading import load_bot
from botyard.fsm.program import FsmProgram
from tests.unit.fsm.platform import write_bundle

BOT = """
from {package} import AbstractFSM{status}


class {name}(AbstractFSM):
    states = ["zero", "a"]
    transitions = [{{"source": "zero", "dest": "a", "trigger": "next"}}]

    def on_enter_a(self):
        self.status = Status.END
"""


def source(name="Bot", package="botyard.fsm", extra=""):
    return BOT.format(name=name, package=package, status=", Status") + extra


@pytest.fixture(autouse=True)
def clean_imports():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize("package", ["botyard.fsm", "jb_manager_bot", "jb_manager_bot.abstract_fsm"])
def test_the_only_bot_is_found_under_every_import(tmp_path, package):
    write_bundle(tmp_path, anything=source(package=package), util="X = 1")
    assert load_bot(tmp_path).__name__ == "Bot"


def test_the_conventional_module_goes_first(tmp_path):
    write_bundle(tmp_path, bot=source("Main"), other="raise RuntimeError('never imported')\nimport botyard.fsm")
    assert load_bot(tmp_path).__name__ == "Main"


def test_tests_and_modules_without_the_library_are_not_imported(tmp_path):
    write_bundle(
        tmp_path,
        app__main=source("Main"),
        app____init__="",
        test_it="import botyard.fsm\nraise RuntimeError",
        tests__x="import botyard.fsm\nraise RuntimeError",
        script="raise RuntimeError",
    )
    assert load_bot(tmp_path).__module__ == "app.main"


def test_a_plugin_and_a_base_class_beside_the_bot_are_not_it(tmp_path):
    extra = """

class Base(AbstractFSM):
    pass


class Shop(Base):
    states = ["zero", "a"]
    transitions = Pay.transitions

    def __init__(self, send_message, credentials=None):
        self.plugins = {"pay": Pay(send_message)}
        super().__init__(send_message=send_message)

    def on_enter_a(self):
        self.status = Status.END
"""
    write_bundle(tmp_path, bot=source("Pay", extra=extra))
    assert load_bot(tmp_path).__name__ == "Shop"


def test_several_bots_are_listed(tmp_path):
    write_bundle(tmp_path, one=source("One"), two=source("Two"))
    with pytest.raises(BotNotFoundError, match=r"one.One, two.Two.*spec.entrypoint.symbol"):
        load_bot(tmp_path)
    assert load_bot(tmp_path, "two").__name__ == "Two"
    assert load_bot(tmp_path, symbol="One").__name__ == "One"
    assert load_bot(tmp_path, "two", "Two").__name__ == "Two"


@pytest.mark.parametrize(
    ("module", "symbol", "says"),
    [
        ("", "Three", r"named 'Three'.*bot.Bot"),
        ("nowhere", "", r"no module 'nowhere'.*spec.entrypoint.module"),
        ("empty", "", r"no subclass of AbstractFSM in module 'empty'"),
        ("json", "", r"hidden by an installed module|no module"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, module, symbol, says):
    write_bundle(tmp_path, bot=source(), empty="")
    with pytest.raises(BotNotFoundError, match=says):
        load_bot(tmp_path, module, symbol)


def test_a_bundle_without_a_bot_is_explained(tmp_path):
    write_bundle(tmp_path, util="X = 1")
    with pytest.raises(BotNotFoundError, match=r"bot.py"):
        load_bot(tmp_path)


def test_what_the_bundle_raises_reaches_the_caller(tmp_path):
    write_bundle(tmp_path, bot="import botyard.fsm\nimport package_that_is_missing")
    with pytest.raises(ModuleNotFoundError, match="package_that_is_missing"):
        load_bot(tmp_path)


def test_another_bundle_and_a_new_revision_replace_modules_of_the_same_name(tmp_path):
    first = write_bundle(tmp_path / "1", bot=source("First"), helper="")
    second = write_bundle(tmp_path / "2", bot=source("Second"))
    assert load_bot(first).__name__ == "First"
    assert load_bot(second).__name__ == "Second"
    write_bundle(tmp_path / "2", bot=source("SecondAgain"))
    assert load_bot(second).__name__ == "SecondAgain"


def test_unsound_declarations_are_refused_at_the_load(tmp_path):
    write_bundle(tmp_path, bot=source().replace('"zero", "a"]', '"zero", "a", "b"]'))
    with pytest.raises(ValueError, match="on_enter_b"):
        FsmProgram.load(tmp_path)


def test_a_bot_whose_constructor_adds_its_states_is_sound(tmp_path):
    write_bundle(
        tmp_path,
        bot="""
from jb_manager_bot import AbstractFSM


class Bot(AbstractFSM):
    def __init__(self, send_message, credentials=None):
        self._add_transition("zero", "greet")
        self.create_display_task("greet", "end", "Hello")
        self._add_state("end")
        super().__init__(send_message=send_message)
""",
    )
    program = FsmProgram.load(tmp_path)
    assert program.inspect().states == ("greet", "end")
    assert program.inspect().findings == ()
