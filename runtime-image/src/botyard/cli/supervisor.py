"""`botyard supervisor`."""

from collections.abc import Sequence

from botyard.cli.errors import CommandError
from botyard.runtime.main import run_supervisor


def run(argv: Sequence[str]) -> int:
    """Supervise until told to stop.

    Raises:
        CommandError: What the pod should have mounted cannot be read.
    """
    try:
        return run_supervisor(argv)
    except (OSError, ValueError) as error:
        raise CommandError(f"supervisor: {error}") from error
