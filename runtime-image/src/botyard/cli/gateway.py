"""`botyard gateway`."""

from collections.abc import Sequence

from botyard.cli.errors import EXIT_USAGE, CommandError
from botyard.gateway import main
from botyard.runtime import logs


def run(argv: Sequence[str]) -> int:
    """Serve until told to stop.

    Raises:
        CommandError: The options or the environment do not allow it to start.
    """
    logs.configure()
    try:
        return main.run(argv)
    except ValueError as error:
        raise CommandError(f"gateway: {error}", code=EXIT_USAGE) from None
