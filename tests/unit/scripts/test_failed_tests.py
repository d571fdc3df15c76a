"""`scripts/failed_tests.py`: which tests of a report are run once more."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SOME_FAIL = """
import pytest

@pytest.mark.parametrize("size", [1, 2])
def test_size(size):
    assert size == 1

class TestBots:
    def test_answers(self):
        assert False

    @pytest.fixture
    def broken(self):
        raise RuntimeError("no server")

    def test_needs_a_server(self, broken):
        pass
"""


def report_of(folder: Path, source: str) -> Path:
    """The report of a real run of pytest over one module in `folder`."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "inner").mkdir()
    (folder / "inner/test_it.py").write_text(source)
    report = folder / "report.xml"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-o",
        "junit_family=xunit1",
        f"--junit-xml={report}",
    ]
    subprocess.run([sys.executable, "-m", "pytest", *options, "inner"], cwd=folder, capture_output=True, check=False)
    return report


def failed_tests(report: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts/failed_tests.py", report], capture_output=True, text=True, check=False
    )


def test_failures_and_errors_are_named_as_pytest_takes_them(tmp_path: Path) -> None:
    result = failed_tests(report_of(tmp_path, SOME_FAIL))
    assert result.stdout.splitlines() == [
        "inner/test_it.py::TestBots::test_answers",
        "inner/test_it.py::TestBots::test_needs_a_server",
        "inner/test_it.py::test_size[2]",
    ]


@pytest.mark.parametrize(
    "source", ["import nothing_of_that_name", None], ids=["module cannot be imported", "no report"]
)
def test_what_is_no_failure_of_a_test_is_not_run_again(tmp_path: Path, source: str | None) -> None:
    result = failed_tests(report_of(tmp_path, source) if source else tmp_path / "report.xml")
    assert (result.returncode, result.stdout) == (1, "")
