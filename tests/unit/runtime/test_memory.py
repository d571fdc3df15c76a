"""What the processes of a pod load, and so hold as long as they live, is what they need."""

import subprocess
import sys

import pytest

HEAVY = {"httpx", "sqlite3", "numpy", "openai", "starlette"}
"""Each costs a process megabytes; whoever needs one imports it on demand."""


@pytest.mark.parametrize("module", ["botyard.runtime.main", "botyard.runtime.worker_host", "botyard.fsm.program"])
def test_a_pod_loads_no_library_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert module in loaded
    assert not HEAVY & set(loaded)


def test_a_supervisor_loads_no_programming_model() -> None:
    code = "import sys, botyard.runtime.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"botyard.fsm.machine", "botyard.loop.program", "botyard.workflow.program"} & set(loaded)
