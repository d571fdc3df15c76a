"""`botyard scenario-gate`: runs the scenarios of a new revision in a pod, before the revision takes over.

Imports nothing but the standard library before the bundle's dependencies are on the path, as a worker does.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from botyard.contract import names
from botyard.runtime.layer import activate

TERMINATION_LOG = Path("/dev/termination-log")
"""What a process writes there, the kubelet puts into the pod's status."""


def run(argv: Sequence[str]) -> int:
    """Run all scenarios of the pod's bundle; the exit code is 0 where all passed, else 1."""
    parser = argparse.ArgumentParser(
        prog="botyard scenario-gate", description="Run a revision's scenarios before it takes over, in a pod."
    )
    parser.add_argument("--entrypoint", default="", metavar="MODULE[:SYMBOL]", help="where the bot is, if not found")
    options = parser.parse_args(argv)
    activate(Path(names.LAYER_DIR))
    return gate(Path(names.BUNDLE_DIR), options.entrypoint, TERMINATION_LOG)


def gate(bundle: Path, entrypoint: str, log: Path) -> int:
    """Run all scenarios of a bundle and write into `log` how they went."""
    from botyard.contract.scenarios import FailedScenario, ScenarioReport
    from botyard.scenario import command, report
    from botyard.scenario.document import ScenarioError

    results = []
    try:
        results = command.execute(command.options_of(bundle, entrypoint))
        failed = [result for result in results if not result.passed]
        told = ScenarioReport(
            total=len(results),
            failed=len(failed),
            failures=tuple(
                FailedScenario(
                    name=each.scenario.scenario,
                    where=f"{each.file.relative_to(bundle)}:{each.line}",
                    problem=each.problems[0],
                )
                for each in failed
            ),
        )
    except ScenarioError as error:
        told = ScenarioReport(problem=str(error).replace(f"{bundle}/", ""))
        print(f"botyard scenario-gate: {error}", file=sys.stderr)
    else:
        print(report.summary(results))
    log.write_text(told.message(), encoding="utf-8")
    return command.ended(0 if told.passed else 1, results)
