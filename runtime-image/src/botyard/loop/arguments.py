"""The command line of a bot's own program."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn


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


def run_scenario_instead(scenario: str) -> NoReturn:
    """Become `botyard scenario` for the program that was started: its exit code says whether the scenario passed.

    Args:
        scenario: The file.
    """
    started = Path(getattr(sys.modules["__main__"], "__file__", None) or sys.argv[0]).resolve()
    command = [sys.executable, "-m", "botyard.cli.main", "scenario", scenario, "--bundle", str(started.parent)]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, "--entrypoint", started.stem])  # noqa: S606 - no shell
