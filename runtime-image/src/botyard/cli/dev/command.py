"""`botyard dev`."""

import argparse
import asyncio
import contextlib
import logging
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from botyard.cli.dev import inputs, registry
from botyard.cli.dev.laptop import Laptop, LaptopBot
from botyard.cli.errors import EXIT_USAGE, CommandError
from botyard.runtime import logs


def run(argv: Sequence[str]) -> int:
    """Run a bot from a folder, or those of a registry, until Ctrl-C.

    Raises:
        CommandError: It cannot start; the message says what to do.
    """
    options = _parser().parse_args(argv)
    logs.configure("DEBUG" if options.verbose else "INFO", plain=True)
    for quiet in ("uvicorn", "botyard.pool", "botyard.supervisor", "botyard.ownership"):
        logging.getLogger(quiet).setLevel(logging.DEBUG if options.verbose else logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="botyard-dev-") as made:
        laptop = Laptop(bots=_bots(options, Path(made)), temporary=Path(made))
        with contextlib.closing(_listen(options.port)) as listener:
            asyncio.run(laptop.serve(options.redis, listener))
    return 0


def _bots(options: argparse.Namespace, temporary: Path) -> tuple[LaptopBot, ...]:
    """Return the bots to run, with their files written below `temporary`."""
    script = inputs.model_script(options.model_script)
    shard, secrets = inputs.personas(options.persona), inputs.credentials(options.credentials)
    found = _of_folder(options) if options.folder is not None else registry.sources(temporary / "bundles")
    made = []
    for number, source in enumerate(found):
        bot = inputs.bot_config(
            source.name,
            entrypoint=source.entrypoint,
            config=options.config,
            turn_timeout=options.turn_timeout,
            scripted=script is not None,
            model="auto" if options.folder is not None else "workflow",
        )
        mounts = inputs.write(temporary / str(number), bot, shard, secrets, script)
        made.append(LaptopBot(bot, source.folder, mounts, shard.personas, source.default))
    return tuple(made)


def _of_folder(options: argparse.Namespace) -> list[registry.Source]:
    folder = options.folder.absolute()
    if not folder.is_dir():
        raise CommandError(f"dev: {options.folder} is not a folder", code=EXIT_USAGE)
    return [registry.Source(options.name or inputs.bot_name(folder), folder, options.entrypoint, default=True)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard dev",
        description="Run the bot of a folder on this machine: gateway and console, supervisor, workers and Redis. The "
        "bot is named after the folder, in the namespace `dev`; saving a file loads it again.",
        epilog="Talk to it with `botyard chat NAME`, or in a browser at the address that is printed.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        nargs="?",
        help="folder of the bot's code; left out: the workflow bundles that AGENTIC_BUNDLES_JSON lists",
    )
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1; 0 takes a free one (%(default)s)")
    parser.add_argument(
        "--redis",
        metavar="URL",
        help="use a running Redis; a second `botyard dev` on the same one, with another --port, joins as a replica",
    )
    parser.add_argument("--name", help="name of the bot, instead of the folder's")
    parser.add_argument("--entrypoint", default="", metavar="MODULE[:SYMBOL]", help="where the bot is, if not found")
    parser.add_argument(
        "--persona", type=Path, action="append", default=[], metavar="FILE", help="manifests of Personas"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML of what spec.config of a Bot holds")
    parser.add_argument("--credentials", type=Path, metavar="FILE", help="NAME=value lines: the bot's credentials")
    parser.add_argument(
        "--model-script", type=Path, metavar="FILE", help="give it a model that answers by this script (docs/models.md)"
    )
    parser.add_argument(
        "--turn-timeout", type=float, default=600.0, metavar="SECONDS", help="for one turn (%(default)s)"
    )
    parser.add_argument("--verbose", action="store_true", help="log everything")
    return parser


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise CommandError(f"dev: port {port} cannot be used ({error}); try --port 0, which takes a free one") from None
    return listener
