"""`botyard scenario`."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from botyard.budget.costs import Rates, find_price, rates_of
from botyard.budget.errors import UnknownPrice
from botyard.contract.bot import Entrypoint
from botyard.contract.prices import SCRIPTED, InvalidPrices, parse_prices
from botyard.scenario import report
from botyard.scenario.document import Scenario, ScenarioError, with_setup
from botyard.scenario.files import FOLDER, kit_files, load_file, scenario_files
from botyard.scenario.judge import Judging
from botyard.scenario.model import SCRIPT, ScenarioModel, script_beside
from botyard.scenario.purse import Purse
from botyard.scenario.runner import Result, run_scenario

EXIT_FAILED = 1
EXIT_USAGE = 2
JUDGE_KEY = "BOTYARD_JUDGE_KEY"
"""Variable of the environment with the key of the judging model."""


BUDGET = 500_000
"""Coins that a judge may cost in one run where the command line says nothing: half a dollar."""


def main(argv: Sequence[str]) -> int:
    """Run the scenarios of a bundle, or those of one file.

    Args:
        argv: Command line without the command's name.

    Returns:
        0; 1 where a scenario failed; 2 for a wrong command line, or a file that is no scenario.
    """
    options = _parser().parse_args(argv)
    try:
        judging = _judging(options)
        results = execute(options, judging)
        if options.junit is not None:
            _write(options.junit, report.junit(results))
        if options.json is not None:
            _write(options.json, report.as_json(results, judging))
    except ScenarioError as error:
        print(f"botyard scenario: {error}", file=sys.stderr)
        return EXIT_USAGE
    print(report.summary(results, judging))
    return ended(EXIT_FAILED if any(not result.passed for result in results) else 0, results)


def execute(options: argparse.Namespace, judging: Judging | None = None) -> list[Result]:
    """Run what a command line asks for and print how each scenario went.

    Args:
        options: The command line.
        judging: Rates the conversations; None: nobody does.

    Raises:
        ScenarioError: There is nothing to run, or a file is no scenario.
    """
    bundle, files = _files(options.path, options.bundle)
    wanted = [(file, each) for file in files for each in load_file(file) if options.only in each.scenario]
    wanted = [(file, with_setup(each, dict(options.setup))) for file, each in wanted]
    if not wanted:
        raise ScenarioError(f"no scenario's name contains {options.only!r}")
    model = ScenarioModel()
    scripts = {file: options.model_script or script_beside(file) for file, _ in wanted}
    for path in set(scripts.values()):
        model.use(path)
    module, _, symbol = options.entrypoint.partition(":")
    entrypoint = Entrypoint(module=module, symbol=symbol)
    with model.serving() if any(scripts.values()) else contextlib.nullcontext():
        return asyncio.run(_run(bundle, wanted, entrypoint, model, scripts, judging))


def ended(code: int, results: Sequence[Result]) -> int:
    """Return the exit code; end the process at once where code of the bundle still runs."""
    if any(result.timed_out for result in results):
        # A thread of the bundle still runs, and Python would wait for it for ever.
        sys.stdout.flush()
        os._exit(code)
    return code


def options_of(bundle: Path, entrypoint: str) -> argparse.Namespace:
    """Return the options that run all scenarios of a bundle.

    Args:
        bundle: Its folder.
        entrypoint: `module:symbol`; empty: it is looked for.
    """
    return _parser().parse_args([str(bundle), "--entrypoint", entrypoint])


async def _run(
    bundle: Path,
    wanted: list[tuple[Path, Scenario]],
    entrypoint: Entrypoint,
    model: ScenarioModel,
    scripts: Mapping[Path, Path | None],
    judging: Judging | None,
) -> list[Result]:
    results = []
    for file, scenario in wanted:
        model.use(scripts[file])
        model.replay((), "")
        result = await run_scenario(
            scenario, bundle=bundle, file=file, entrypoint=entrypoint, model=model, judging=judging
        )
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
    files = scenario_files(path) or kit_files(path)
    if not files:
        raise ScenarioError(f"{path} has no scenarios: write {path / FOLDER}/<name>.yaml (see docs/scenarios.md)")
    return (bundle or path).resolve(), files


def _judging(options: argparse.Namespace) -> Judging | None:
    """Return who judges, where the command line says so."""
    if options.judge is None:
        return None
    if not options.judge_model:
        raise ScenarioError("--judge needs --judge-model: the name of the model there")
    return Judging(
        endpoint=options.judge,
        model=options.judge_model,
        purse=Purse(options.judge_budget, _rates(options.prices, options.judge_model)),
        key=os.environ.get(JUDGE_KEY, ""),
        threshold=options.threshold,
    )


def _rates(prices: Path | None, model: str) -> Rates:
    """Return what a model costs: a coin for each token where no price table is given."""
    if prices is None:
        print("No --prices: what judging costs is counted in tokens, not in money; a token is a coin.", file=sys.stderr)
        return rates_of(SCRIPTED.prices[0])
    try:
        return find_price(parse_prices(prices.read_text(encoding="utf-8")), "openai", model, int(time.time() * 1000))[1]
    except (OSError, UnicodeDecodeError, InvalidPrices, UnknownPrice) as error:
        raise ScenarioError(f"--prices {prices}: {error}") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{path} cannot be written: {error.strerror}") from error


def _pair(given: str) -> tuple[str, Any]:
    """Return a key of the setup with its value, which is JSON or else a text."""
    key, separator, value = given.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"{given!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard scenario",
        description="Run a bot's scenarios: conversations in YAML, with what the bot must answer.",
        epilog="Exit code: 0 where all passed, 1 where a scenario failed, 2 where something given cannot be used.",
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
    parser.add_argument(
        "--judge",
        metavar="URL",
        help=f"have a model of the OpenAI protocol rate the conversations; its key is taken from {JUDGE_KEY}",
    )
    parser.add_argument("--judge-model", default="", metavar="NAME", help="that model's name")
    parser.add_argument(
        "--judge-budget",
        type=int,
        default=BUDGET,
        metavar="COINS",
        help=f"what it may cost in all, in millionths of a dollar, or in tokens where --prices is missing ({BUDGET})",
    )
    parser.add_argument(
        "--prices", type=Path, metavar="FILE", help="price table with that model; without one a token costs a coin"
    )
    parser.add_argument(
        "--setup",
        type=_pair,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of the Persona's setup, for all scenarios; the value is JSON, or else a text",
    )
    parser.add_argument("--threshold", type=float, metavar="N", help="least rating, 1 to 10, for all scenarios")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the results as JUnit XML")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    return parser
