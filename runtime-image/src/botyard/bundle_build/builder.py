"""`botyard builder`: the container of a build pod that runs foreign code."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from botyard.bundle_build.exchange import Exchange
from botyard.bundle_build.inspect import inspect
from botyard.bundle_build.install import compile_layer, install, packages
from botyard.bundle_build.processes import Log
from botyard.contract import names
from botyard.contract.build import BuildFailure, BuildReport, BuildRequest

_AWAIT_SOURCE = 600.0


def build(request: BuildRequest, *, bundle: Path, layer: Path, shared: Path, work: Path, index_url: str) -> None:
    """Build one bundle, once the courier says that its source is there.

    Args:
        request: What is built.
        bundle: Where the courier puts the source.
        layer: Where the dependencies go.
        shared: Folder shared with the courier.
        work: An own folder for temporary files.
        index_url: The package index, with the token of this build.
    """
    exchange = Exchange(shared)
    exchange.begin()
    go = exchange.await_go(_AWAIT_SOURCE)
    if go.give_up:
        return
    log = Log(exchange.log, sys.stdout.buffer, [urlsplit(index_url).password or ""])
    failure: BuildFailure | None = None
    manifest = None
    if go.install:
        failure = install(request, bundle, layer, work, index_url, log)
        if failure is None:
            compile_layer(layer, work, log)
    found = packages(layer) if request.requirements and failure is None else ()
    if failure is None:
        manifest, failure = inspect(request, bundle, layer, work, log)
    log.line(f"Failed: {failure.message}" if failure is not None else "Done")
    exchange.report(BuildReport(failure=failure, manifest=manifest, packages=found))


def run(argv: Sequence[str]) -> int:
    """Build what the pod's environment names."""
    argparse.ArgumentParser(
        prog="botyard builder", description="Install and import what BOTYARD_BUILD names, in a build pod."
    ).parse_args(argv)
    request = BuildRequest.model_validate_json(os.environ[names.ENV_BUILD])
    index = Path(names.INDEX_DIR) / names.INDEX_URL_FILE
    work = Path("/tmp/build")  # noqa: S108 - in the pod
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    build(
        request,
        bundle=Path(names.BUNDLE_DIR),
        layer=Path(names.LAYER_DIR),
        shared=Path(names.BUILD_DIR),
        work=work,
        index_url=index.read_text().strip() if index.is_file() else "",
    )
    return 0
