"""The command line of a bot's own program."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

_PASSED_ON = ("setup", "model-script", "judge", "judge-model", "judge-budget", "prices", "threshold", "junit", "json")


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

    Its other options (`--setup KEY=VALUE`, `--judge …`, `--junit FILE`) are passed on.

    Args:
        scenario: The file.
    """
    started = Path(getattr(sys.modules["__main__"], "__file__", None) or sys.argv[0]).resolve()
    command = [sys.executable, "-m", "botyard.cli.main", "scenario", scenario, "--bundle", str(started.parent)]
    sys.stdout.flush()
    command += ["--entrypoint", started.stem, *_passed_on(sys.argv[1:])]
    os.execv(sys.executable, command)  # noqa: S606 - no shell


def _passed_on(arguments: list[str]) -> list[str]:
    """Return the options of `botyard scenario` that a bot's own command line gives, as far as that is sensible.

    Options of the existing kit that mean nothing here (`--model`, `--experiment`, `--no-cleanup`) are left out.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in _PASSED_ON:
        parser.add_argument(f"--{name}", action="append", default=[], dest=name)
    known, _ = parser.parse_known_args(arguments)
    return [part for name in _PASSED_ON for value in getattr(known, name) for part in (f"--{name}", value)]
