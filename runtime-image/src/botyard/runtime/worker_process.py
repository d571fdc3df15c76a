"""The first lines of a worker's process: the bundle's dependencies come onto its path before anything is imported.

`python -m botyard.runtime.worker_process SOCKET NAME`
"""

from pathlib import Path

from botyard.contract import names
from botyard.runtime.layer import activate


def main() -> None:
    """Run a worker."""
    activate(Path(names.LAYER_DIR))
    from botyard.runtime.worker import main as run

    run()


if __name__ == "__main__":
    main()
