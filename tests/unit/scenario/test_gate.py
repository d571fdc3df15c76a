"""What the pod before a rollout says of a revision's scenarios."""

import sys
from pathlib import Path

import pytest

from botyard.contract.scenarios import MAX_BYTES, FailedScenario, ScenarioReport
from botyard.inspection.bundle import inspect_bundle
from botyard.scenario.gate import gate

ROOT = Path(__file__).parents[3]
REPAIRS = ROOT / "bundles" / "repairs"


@pytest.fixture(autouse=True)
def _own_modules():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name == "bot" or name.startswith("workshop"):
            del sys.modules[name]


def report_of(bundle: Path, log: Path) -> tuple[int, ScenarioReport]:
    code = gate(bundle, "", log)
    return code, ScenarioReport.model_validate_json(log.read_text())


def test_all_scenarios_of_a_good_revision_pass(tmp_path):
    code, report = report_of(REPAIRS, tmp_path / "log")
    assert (code, report.failed, report.total) == (0, 0, 9)


def test_a_failed_one_is_named_with_its_place(tmp_path):
    bundle = tmp_path / "bundle"
    (bundle / "scenarios").mkdir(parents=True)
    (bundle / "bot.py").write_text((REPAIRS / "bot.py").read_text())
    (bundle / "workshop").symlink_to(REPAIRS / "workshop")
    (bundle / "scenarios" / "a.yaml").write_text("scenario: It greets\nsteps:\n- {say: hi, expect: Good day}\n")
    code, report = report_of(bundle, tmp_path / "log")
    assert (code, report.total, report.failed) == (1, 1, 1)
    assert (report.failures[0].name, report.failures[0].where) == ("It greets", "scenarios/a.yaml:3")


def test_a_file_that_is_no_scenario_fails_all(tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.yaml").write_text("scenario: X\nsteps: soon\n")
    code, report = report_of(tmp_path, tmp_path / "log")
    assert code == 1
    assert report.problem.startswith("scenarios/a.yaml:2: steps: ")


def test_what_is_told_fits_into_the_message_of_a_pod():
    many = tuple(FailedScenario(name="é" * 900, where="x" * 900, problem="ü" * 900) for _ in range(20))
    text = ScenarioReport(total=20, failed=20, failures=many).message()
    assert len(text.encode()) <= MAX_BYTES
    assert ScenarioReport.model_validate_json(text).failed == 20


def test_inspection_tells_how_many_files_there_are():
    assert inspect_bundle(REPAIRS)[0].extra["scenarios"] == 3
