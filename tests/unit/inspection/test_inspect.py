"""What `botyard inspect` tells of a bundle, and what it finds wrong."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from botyard.inspection import Manifest, inspect_bundle
from botyard.inspection.command import main

ROOT = Path(__file__).parents[3]
REPAIRS = ROOT / "bundles" / "repairs"
PUBLISHED = ROOT / "tests" / "unit" / "fsm" / "authored"

HEAD = """from jb_manager_bot import AbstractFSM, Status
class Bot(AbstractFSM):
    states = STATES
    transitions = [dict(source=s, dest=d, trigger="next", **k) for s, d, *k_ in STEPS for k in [dict(k_)]]
    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)
    def on_enter_a(self):
        self.status = Status.WAIT_FOR_USER_INPUT
    def on_enter_b(self):
        self.status = Status.MOVE_FORWARD
    def on_enter_c(self):
        self.status = Status.MOVE_FORWARD
    def on_enter_d(self):
        self.status = Status.WAIT_FOR_ME
"""


@pytest.fixture(autouse=True)
def _own_modules():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def bundle(folder, states, steps):
    (folder / "bot.py").write_text(HEAD.replace("STATES", repr(states)).replace("STEPS", repr(steps)))
    return folder


def test_a_bundle_describes_itself():
    manifest, diagram = inspect_bundle(REPAIRS)
    assert (manifest.model, manifest.name) == ("fsm", "RepairShop")
    assert (manifest.entrypoint.module, manifest.entrypoint.symbol) == ("bot", "RepairShop")
    assert manifest.machine.states[:3] == ("zero", "greet", "ask_service")
    assert manifest.machine.variables["properties"]["cents"] == {"default": 0, "title": "Cents", "type": "integer"}
    assert manifest.machine.plugins == ("payment",)
    assert manifest.machine.outputs == ("bike", "cents", "day", "service")
    assert [(c.name, c.required, c.default) for c in manifest.credentials] == [
        ("PAYMENT_URL", False, "https://pay.example.com/checkout")
    ]
    assert manifest.findings == ()
    assert diagram in (REPAIRS / "README.md").read_text()


@pytest.mark.parametrize("name", ["clinic", "library", "tickets", "helpdesk"])
def test_bots_whose_constructors_check_credentials_or_add_states_are_described(name):
    manifest, diagram = inspect_bundle(PUBLISHED / name)
    assert manifest.sound
    assert manifest.name.endswith("Bot")
    assert "hello" in manifest.machine.states or name != "tickets"
    assert diagram.startswith("stateDiagram-v2")


def test_required_credentials_of_a_bot_are_told():
    manifest, _ = inspect_bundle(PUBLISHED / "library")
    assert {c.name for c in manifest.credentials if c.required} == {"PAY_URL", "OPENAI_API_KEY"}


@pytest.mark.parametrize(
    ("states", "steps", "code", "subject"),
    [
        (["zero", "a", "b"], [("zero", "a"), ("a", "b"), ("b", "c")], "UnknownState", "c"),
        (["zero", "a"], [("zero", "a")], "NoExit", "a"),
        (["zero", "a", "b"], [("zero", "a"), ("a", "a"), ("b", "a")], "UnreachableState", "b"),
        (["zero", "a"], [("zero", "a"), ("a", "a", ("conditions", "gone"))], "UnknownCondition", "gone"),
        (["zero", "b", "c"], [("zero", "b"), ("b", "c"), ("c", "b")], "EndlessLoop", "b"),
        (["zero", "d", "a"], [("zero", "d"), ("d", "a"), ("a", "d")], "UnfinishedState", "d"),
        (["zero", "a", "b"], [("zero", "a"), ("a", "b"), ("a", "a"), ("b", "a")], "ShadowedTransition", "a"),
    ],
)
def test_findings_name_their_place_and_the_way_out(tmp_path, states, steps, code, subject):
    manifest, _ = inspect_bundle(bundle(tmp_path, states, steps))
    finding = next(finding for finding in manifest.findings if finding.code == code)
    assert finding.subject == subject
    assert finding.where.startswith("bot.py:")
    assert "{" not in finding.fix
    assert finding.fix


def test_a_state_without_a_method_keeps_the_bundle_from_loading(tmp_path):
    (finding,) = inspect_bundle(bundle(tmp_path, ["zero", "x"], [("zero", "x")]))[0].findings
    assert (finding.code, finding.where) == ("LoadFailed", "bot.py:7")
    assert "on_enter_x()" in finding.message


def test_a_loop_that_waits_somewhere_is_no_finding(tmp_path):
    manifest, _ = inspect_bundle(bundle(tmp_path, ["zero", "a", "b"], [("zero", "a"), ("a", "b"), ("b", "a")]))
    assert manifest.findings == ()


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("from jb_manager_bot import AbstractFSM\nx = 1 +\n", "SyntaxError", "bot.py:2"),
        ("from jb_manager_bot import AbstractFSM\nimport no_such_package\n", "LoadFailed", "bot.py:2"),
        ("print('hello')\n", "UnknownModel", ""),
        ("from jb_manager_bot import AbstractFSM\nraise SystemExit(3)\n", "LoadFailed", "bot.py:2"),
    ],
)
def test_code_that_cannot_be_loaded_is_a_finding(tmp_path, text, code, where):
    (tmp_path / "bot.py").write_text(text)
    manifest, diagram = inspect_bundle(tmp_path)
    (finding,) = manifest.findings
    assert (finding.code, finding.where, finding.severity) == (code, where, "error")
    assert diagram is None


def test_a_constructor_that_needs_a_service_is_told(tmp_path):
    folder = bundle(tmp_path, ["zero", "a"], [("zero", "a"), ("a", "a")])
    path = folder / "bot.py"
    path.write_text(path.read_text().replace("super()", "self.credentials['URL'].connect(); super()"))
    (finding,) = inspect_bundle(folder)[0].findings
    assert (finding.code, finding.severity) == ("ConstructorFails", "warning")
    assert finding.where == "bot.py:7"


def test_what_a_bundle_prints_does_not_get_into_the_manifest(tmp_path, capsys):
    folder = bundle(tmp_path, ["zero", "a"], [("zero", "a"), ("a", "a")])
    path = folder / "bot.py"
    path.write_text("print('noise')\n__version__ = '1.2'\n" + path.read_text())
    assert main([str(folder), "--format", "json"]) == 0
    manifest = Manifest.model_validate_json(capsys.readouterr().out)
    assert (manifest.name, manifest.version) == ("Bot", "1.2")


def test_the_version_may_stand_in_pyproject(tmp_path):
    shutil.copytree(REPAIRS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "3.4"\n')
    assert inspect_bundle(tmp_path)[0].version == "3.4"


def test_equal_bundles_have_equal_digests():
    first, second = (inspect_bundle(REPAIRS)[0].digest() for _ in range(2))
    assert first == second
    assert first.startswith("sha256:")


class TestCommand:
    def test_the_page_for_people(self, capsys):
        assert main([str(REPAIRS)]) == 0
        page = capsys.readouterr().out
        assert page.startswith("RepairShop\n  model         fsm\n  entry point   bot:RepairShop\n")
        assert "read_service -> ask_bike if knows_service" in page
        assert page.endswith("No findings.\n")

    def test_json_is_the_manifest(self, capsys):
        main([str(REPAIRS), "--format", "json"])
        written = json.loads(capsys.readouterr().out)
        assert written["machine"]["transitions"][0] == {"source": "zero", "dest": "greet"}
        assert Manifest.model_validate(written) == inspect_bundle(REPAIRS)[0]

    def test_the_diagram_alone(self, capsys):
        assert main([str(REPAIRS), "--diagram"]) == 0
        assert capsys.readouterr().out in (REPAIRS / "README.md").read_text()

    def test_errors_make_the_exit_code(self, tmp_path, capsys):
        folder = bundle(tmp_path, ["zero", "a"], [("zero", "a")])
        assert main([str(folder)]) == 1
        assert "bot.py:8: error: No transition leaves state 'a'" in capsys.readouterr().out

    def test_warnings_only_if_asked(self):
        assert main([str(PUBLISHED / "library")]) == 0
        assert main([str(PUBLISHED / "library"), "--strict"]) == 1

    def test_a_folder_that_is_none(self, tmp_path, capsys):
        assert main([str(tmp_path / "gone")]) == 2
        assert "is not a folder" in capsys.readouterr().err
