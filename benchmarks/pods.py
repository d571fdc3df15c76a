"""What benchmarks ask of the processes of a replica."""

import compileall
import sysconfig
from pathlib import Path

import botyard
from tests.integration.runtime.replica import Replica


def compile_code() -> None:
    """Compile the platform and its libraries beforehand, as the image does, whatever this environment says of it.

    A process that compiles what it imports holds much of what that took: 18 MB in a supervisor.
    """
    for folder in (sysconfig.get_path("purelib"), Path(botyard.__file__).parent):
        compileall.compile_dir(folder, quiet=2)


def memory(replica: Replica) -> dict[str, float]:
    """Return the proportional set size of a pod's processes, in MB: what they share counts once."""
    pids = {"supervisor": replica.supervisor.pid, "host": replica.host.pid}
    pids |= {f"worker {number}": pid for number, pid in enumerate(replica.workers(), start=1)}
    found = {name: _pss(pid) for name, pid in pids.items()}
    return {**found, "together": sum(found.values())}


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:"))
