"""The command line of a bot's own program."""

import argparse
import os


def parse_bot_args(arguments: list[str] | None = None) -> str | None:
    """Return the scenario that the command line names, or None; `--group` goes to the environment (FLEXUS_GROUP).

    Args:
        arguments: None takes the program's own.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--scenario", metavar="FILE", help="run this scenario instead of serving")
    parser.add_argument("--group", metavar="ID", help="serve the Personas of this group only")
    known, _ = parser.parse_known_args(arguments)
    if known.group:
        os.environ["FLEXUS_GROUP"] = known.group
    scenario: str | None = known.scenario
    return scenario
