"""`botyard validate`: manifests checked without a cluster, by the operator's own models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from botyard.contract import names
from botyard_operator.commands import manifests
from botyard_operator.commands.check import problems

INVALID, UNREADABLE = 1, 2


def run(argv: Sequence[str]) -> int:
    """Check manifests; return 0 when all are valid, 1 when one is not, 2 when one cannot be read."""
    options = _parser().parse_args(argv)
    checked = others = wrong = 0
    seen: dict[str, str] = {}
    try:
        for document in manifests.read(options.filename):
            if not str(document.obj.get("apiVersion") or "").startswith(names.GROUP + "/") and not (
                document.kind in manifests.KINDS and not document.obj.get("apiVersion")
            ):
                others += 1
                continue
            checked += 1
            found = list(problems(document))
            first = seen.setdefault(document.title, document.place("metadata.name"))
            if first != document.place("metadata.name"):
                found.append(("metadata.name", f"is that of another object of this kind, at {first}"))
            for path, message in found:
                print(f"{document.place(path)}: {document.title}: {path}: {message}", file=sys.stderr)
            wrong += bool(found)
            if not found:
                print(f"{document.file}: {document.title}: valid")
    except manifests.Unreadable as error:
        print(f"botyard: validate: {error}", file=sys.stderr)
        return UNREADABLE
    if not checked:
        print(f"botyard: validate: no object of {names.GROUP} in {', '.join(options.filename)}", file=sys.stderr)
        return UNREADABLE
    if others:
        print(f"{others} of other groups not looked at")
    return INVALID if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard validate",
        description="Check Bundles, Bots and Personas without a cluster: fields, types, the rules that the API server "
        "enforces, and what has no effect in this release. What an object refers to is not looked for.",
    )
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="file or folder of manifests, - for standard input; may be repeated",
    )
    return parser
