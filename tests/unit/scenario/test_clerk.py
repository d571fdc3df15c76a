"""bundles/clerk, the exemplary loop bot: its scenarios pass offline, and break where the bot does."""

import shutil
import subprocess
import sys
from pathlib import Path

from botyard.inspection import inspect_bundle

ROOT = Path(__file__).parents[3]
CLERK = ROOT / "bundles" / "clerk"


def scenarios(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "botyard.cli.main", "scenario", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_its_scenarios_pass() -> None:
    ran = scenarios(CLERK)
    assert (ran.returncode, "8 passed, 0 failed" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_a_clerk_that_does_not_ask_before_it_writes_fails_them(tmp_path: Path) -> None:
    copy = shutil.copytree(CLERK, tmp_path / "clerk")
    code = (copy / "clerk_bot.py").read_text()
    (copy / "clerk_bot.py").write_text(code.replace("or toolcall.confirmed_by_human", "or True"))
    ran = scenarios(copy)
    assert ran.returncode == 1
    assert "FAIL  A letter goes out once a person has confirmed it" in ran.stdout


def test_inspection_finds_nothing_wrong_with_it() -> None:
    manifest, _ = inspect_bundle(CLERK)
    assert manifest.findings == ()
    assert manifest.extra["experts"]["adviser"]["tools"] == ["find_contact"]
    assert manifest.extra["scenarios"] == 2
