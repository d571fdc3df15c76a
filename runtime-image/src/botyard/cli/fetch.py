"""`botyard fetch`."""

import argparse
from collections.abc import Sequence

from botyard.bundle_fetch import run_from_env


def run(argv: Sequence[str]) -> int:
    """Fetch the bundle that the pod's environment names."""
    argparse.ArgumentParser(
        prog="botyard fetch",
        description="Fetch what BOTYARD_ARTIFACT_URL names, verify it by BOTYARD_ARTIFACT_DIGEST, unpack it.",
    ).parse_args(argv)
    return run_from_env()
