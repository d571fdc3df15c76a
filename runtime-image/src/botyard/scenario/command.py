"""`botyard scenario`."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from botyard.contract.bot import Entrypoint
from botyard.scenario import report
from botyard.scenario.document import Scenario, ScenarioError, load_file
from botyard.scenario.model import SCRIPT, ScenarioModel, is_script, script_beside
from botyard.scenario.runner import Result, run_scenario

EXIT_FAILED = 1
EXIT_USAGE = 2
FOLDER = "scenarios"


def main(argv: Sequence[str]) -> int:
    """Run the scenarios of a bundle, or those of one file.

    Args:
        argv: Command line without the command's name.

    Returns:
        0; 1 where a scenario failed; 2 for a wrong command line, or a file that is no scenario.
    """
    options = _parser().parse_args(argv)
    try:
        bundle, files = _files(options.path, options.bundle)
        wanted = [(file, each) for file in files for each in load_file(file) if options.only in each.scenario]
        if not wanted:
            raise ScenarioError(f"no scenario's name contains {options.only!r}")
        model = ScenarioModel()
        scripts = {file: options.model_script or script_beside(file) for file, _ in wanted}
        for path in set(scripts.values()):
            model.use(path)
    except ScenarioError as error:
        print(f"botyard scenario: {error}", file=sys.stderr)
        return EXIT_USAGE
    module, _, symbol = options.entrypoint.partition(":")
    with model.serving() if any(scripts.values()) else contextlib.nullcontext():
        results = asyncio.run(_run(bundle, wanted, Entrypoint(module=module, symbol=symbol), model, scripts))
    if options.junit is not None:
        options.junit.write_text(report.junit(results), encoding="utf-8")
    print(report.summary(results))
    code = EXIT_FAILED if any(not result.passed for result in results) else 0
    if any(result.timed_out for result in results):
        # A thread of the bundle still runs, and Python would wait for it for ever.
        sys.stdout.flush()
        os._exit(code)
    return code


async def _run(
    bundle: Path,
    wanted: list[tuple[Path, Scenario]],
    entrypoint: Entrypoint,
    model: ScenarioModel,
    scripts: Mapping[Path, Path | None],
) -> list[Result]:
    results = []
    for file, scenario in wanted:
        model.use(scripts[file])
        result = await run_scenario(scenario, bundle=bundle, file=file, entrypoint=entrypoint, model=model)
        print(report.text(result), flush=True)
        results.append(result)
        if result.timed_out:
            break
    return results


def _files(path: Path, bundle: Path | None) -> tuple[Path, list[Path]]:
    """Return the bundle's folder and the scenario files that a path means."""
    if path.is_file():
        near = path.resolve().parent
        return (bundle or (near.parent if near.name == FOLDER else near)).resolve(), [path]
    if not path.is_dir():
        raise ScenarioError(f"{path} is neither a folder nor a file")
    found = (file for suffix in ("*.yaml", "*.yml") for file in (path / FOLDER).rglob(suffix))
    files = sorted(file for file in found if not is_script(file))
    if not files:
        raise ScenarioError(f"{path} has no scenarios: write {path / FOLDER}/<name>.yaml (see docs/scenarios.md)")
    return (bundle or path).resolve(), files


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard scenario",
        description="Run a bot's scenarios: conversations in YAML, with what the bot must answer.",
        epilog="Exit code 1 where a scenario failed.",
    )
    parser.add_argument(
        "path", type=Path, metavar="DIR[/FILE]", help=f"folder of the bot's code ({FOLDER}/*.yaml in it), or one file"
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="folder of the bot's code, if the path is elsewhere")
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name contains this")
    parser.add_argument("--entrypoint", default="", metavar="MODULE[:SYMBOL]", help="where the bot is, if not found")
    parser.add_argument(
        "--model-script",
        type=Path,
        metavar="FILE",
        help=f"answers of the model, in place of the {SCRIPT} that lies beside the scenarios",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the results as JUnit XML")
    return parser
