"""One command at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from localcluster.errors import ClusterError
from localcluster.locking import locked

HOLDER = """
import sys, pathlib
from localcluster.locking import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(lock: Path) -> subprocess.Popen[str]:
    import localcluster

    (package,) = localcluster.__path__
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(package).parent)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_command_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = hold(lock)
    try:
        with pytest.raises(ClusterError, match=f"pid {holder.pid}"), locked(lock, seconds=0.3):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_the_lock_of_a_killed_command_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = hold(lock)
    holder.kill()
    holder.communicate()
    with locked(lock, seconds=1):
        assert lock.exists()


def test_a_lock_that_its_holder_deleted_is_made_anew(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock):
        lock.unlink()
        with locked(lock, seconds=1):
            assert lock.exists()
