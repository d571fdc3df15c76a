"""`botyard import`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from botyard.cli.errors import EXIT_FAILED, EXIT_USAGE, CommandError
from botyard.cli.importing.manifests import imported
from botyard.workflow.bundle_spec import parse
from botyard.workflow.errors import RegistryError
from botyard.workflow.registry import VARIABLE


def run(argv: Sequence[str]) -> int:
    """Print the manifests of a registry of workflow bundles; 1 where a bundle could not be taken over.

    Raises:
        CommandError: There is no registry, or it cannot be read.
    """
    options = _parser().parse_args(argv)
    try:
        bundles = parse(_text(options.registry))
    except RegistryError as error:
        raise CommandError(f"import: {error}", code=EXIT_USAGE) from None
    result = imported(bundles, namespace=options.namespace, with_secrets=options.with_secrets)
    if result.documents:
        text = yaml.dump_all(result.documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        print(text, end="")
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    for problem in result.problems:
        print(f"not imported: {problem}", file=sys.stderr)
    return EXIT_FAILED if result.problems else 0


def _text(given: str) -> str:
    """Return the JSON that an argument means: itself, a file's, or that of the environment."""
    if not given or given == VARIABLE:
        if not (text := os.environ.get(VARIABLE, "")):
            raise CommandError(f"import: give a file, or the registry in {VARIABLE}", code=EXIT_USAGE)
        return _text(text)
    if given == "-":
        return sys.stdin.read()
    if given.lstrip().startswith(("{", "#", "//")):
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise CommandError(f"import: cannot read {given}: {reason}", code=EXIT_USAGE) from None


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such; a class of its own, since representers belong to all who use a class."""


def _text_of(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Code reads best as it is written.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard import",
        description="Print a registry of workflow bundles as Bundles and Bots, for kubectl apply. Notes and what could "
        "not be taken over go to standard error.",
        epilog="Exit code 1 where a bundle could not be taken over.",
    )
    parser.add_argument(
        "registry",
        nargs="?",
        default=VARIABLE,
        metavar=VARIABLE,
        help=f"a file, `-`, or the JSON itself; left out: the environment's {VARIABLE}",
    )
    parser.add_argument("--namespace", default="", metavar="NAME", help="write it into all objects")
    parser.add_argument("--with-secrets", action="store_true", help="print the credentials of addresses, too")
    return parser


_Dumper.add_representer(str, _text_of)
