"""`scripts/need`: what is missing is said, with the command that installs it."""

import subprocess
from pathlib import Path

import pytest

NEED = Path(__file__).resolve().parents[3] / "scripts/need"


def need(*programs: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with only the programs of `path` and those that it needs itself."""
    return subprocess.run(
        ["/bin/bash", NEED, *programs], env={"PATH": str(path)}, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder of programs of somebody who is not root."""
    identity = tmp_path / "id"
    identity.write_text("#!/bin/sh\necho 1000\n")
    identity.chmod(0o755)
    return tmp_path


def test_what_is_there_passes_silently(path: Path) -> None:
    (path / "git").symlink_to("/bin/true")
    result = need("git", path=path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_what_is_missing_is_named_with_its_package(path: Path) -> None:
    result = need("id", "psql=postgresql-client", "redis-server", path=path)
    assert result.returncode == 1
    assert "missing: psql redis-server." in result.stderr
    assert "apt-get install postgresql-client redis-server" in result.stderr


def test_what_may_come_from_backports_is_named_as_such(path: Path) -> None:
    result = need("id", "valkey-server=valkey-server/backports", path=path)
    assert result.returncode == 1
    assert "apt-get install valkey-server\n" in result.stderr
    assert "bookworm-backports" in result.stderr
