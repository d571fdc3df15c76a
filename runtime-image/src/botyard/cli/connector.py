"""`botyard connector`."""

from collections.abc import Sequence

from botyard.cli.errors import EXIT_USAGE, CommandError
from botyard.runtime import logs


def run(argv: Sequence[str]) -> int:
    """Read databases until told to stop.

    Raises:
        CommandError: The options or the environment do not allow it to start, or psycopg2 is not installed.
    """
    logs.configure()
    try:
        from botyard.connector import main
    except ModuleNotFoundError as error:
        if error.name != "psycopg2":
            raise
        raise CommandError("connector: pip install 'botyard[connector]'", code=EXIT_USAGE) from None
    try:
        return main.run(argv)
    except ValueError as error:
        raise CommandError(f"connector: {error}", code=EXIT_USAGE) from None
