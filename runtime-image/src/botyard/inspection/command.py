"""`botyard inspect`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from botyard.contract.bot import Entrypoint
from botyard.inspection import render
from botyard.inspection.bundle import inspect_bundle

EXIT_FINDINGS = 1
EXIT_USAGE = 2


def main(argv: Sequence[str]) -> int:
    """Print a bundle's manifest.

    Args:
        argv: Command line without the command's name.

    Returns:
        0; 1 where there is an error among the findings (with `--strict` a warning too); 2 for a wrong command line.
    """
    options = _parser().parse_args(argv)
    folder: Path = options.folder
    if not folder.is_dir():
        print(f"botyard inspect: {folder} is not a folder: give the folder of the bot's code", file=sys.stderr)
        return EXIT_USAGE
    module, _, symbol = options.entrypoint.partition(":")
    manifest, diagram = inspect_bundle(folder.resolve(), Entrypoint(model=options.model, module=module, symbol=symbol))
    if options.diagram:
        if diagram is None:
            print(f"botyard inspect: there is no machine to draw.\n{render.text(manifest)}", file=sys.stderr)
            return EXIT_FINDINGS
        print(diagram, end="")
    elif options.format == "json":
        print(manifest.model_dump_json(by_alias=True, exclude_defaults=True, indent=2))
    else:
        print(render.text(manifest), end="")
    failed = bool(manifest.findings) if options.strict else not manifest.sound
    return EXIT_FINDINGS if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard inspect",
        description="Tell what the bot of a folder is: its model, states, variables and credentials, and what is wrong "
        "with it. Imports its code, runs no turn of it.",
        epilog="Exit code 1 where there is an error among the findings.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the bot's code")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json prints the manifest")
    parser.add_argument("--diagram", action="store_true", help="print the machine as a Mermaid diagram instead")
    parser.add_argument("--entrypoint", default="", metavar="MODULE[:SYMBOL]", help="where the bot is, if not found")
    parser.add_argument("--model", choices=("auto", "loop", "fsm", "workflow"), default="auto", help="if not found")
    parser.add_argument("--strict", action="store_true", help="exit code 1 for warnings, too")
    return parser
