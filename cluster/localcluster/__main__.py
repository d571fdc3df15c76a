"""The command line: `python3 -m localcluster up | down | status | images | clean`."""

import argparse
import json
import signal
import sys
from types import FrameType
from typing import NoReturn

from localcluster import lifecycle
from localcluster.console import say
from localcluster.errors import ClusterError
from localcluster.images.catalogue import IMAGES
from localcluster.images.command import build_images
from localcluster.layout import Layout
from localcluster.target import check_reachable, find_target

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(prog="localcluster", description="A local single-node Kubernetes.")
    commands = result.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or use the one that KUBECONFIG names")
    commands.add_parser("down", help="remove the local cluster; built binaries stay in the cache")
    commands.add_parser("status", help="say what runs; exit code 1 unless the cluster is usable")
    images = commands.add_parser("images", help="build the images and load them into the cluster in use")
    images.add_argument("--tag", default="", help="one tag for all; default: for each the digest of its content")
    images.add_argument("--only", action="append", default=[], choices=[image.name for image in IMAGES])
    images.add_argument("--output", choices=["text", "json"], default="text", help="json: names on standard output")
    commands.add_parser("clean", help="remove the local cluster and the cache")
    return result


def main() -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    layout = Layout.discover()
    try:
        return run(arguments, layout)
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted: run the same command again to go on, or `make cluster-down` to remove what there is.")
        return INTERRUPTED


def run(arguments: argparse.Namespace, layout: Layout) -> int:
    """Run a parsed command and return its exit code.

    Raises:
        ClusterError: It failed.
    """
    if arguments.command == "up":
        target = find_target(layout)
        if target.kind == "local" and target.layout == layout:
            lifecycle.up(layout)
        else:
            say(f"KUBECONFIG reaches {target.context or target.layout.state} ({check_reachable(target)}): it is used.")
        return 0
    if arguments.command == "down":
        lifecycle.down(layout)
        return 0
    if arguments.command == "images":
        names = build_images(find_target(layout), tag=arguments.tag, only=tuple(arguments.only))
        if arguments.output == "json":
            print(json.dumps(names))
        return 0
    if arguments.command == "clean":
        lifecycle.clean(layout)
        return 0
    return 0 if lifecycle.status(layout) else 1


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
