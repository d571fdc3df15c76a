"""The command itself: names, templates, and never a file that is there already."""

import argparse
import re
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from botyard.cli.errors import EXIT_USAGE, CommandError

MODELS = ("fsm", "workflow")
"""Programming models with a template."""
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
_SUFFIX = ".txt"
"""Templates carry it, so that no tool takes them for what they become."""


def run(argv: Sequence[str]) -> int:
    """Make the folder of a new bot.

    Raises:
        CommandError: The name cannot be one of a Bot, or the folder is there already.
    """
    options = _parser().parse_args(argv)
    if not _NAME.fullmatch(options.name):
        raise CommandError(
            f"new: {options.name!r} cannot be the name of a Bot: write at most 50 small letters, digits and dashes, "
            "beginning with a letter, such as coffee-orders",
            code=EXIT_USAGE,
        )
    folder: Path = (options.into or Path()) / options.name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise CommandError(f"new: {folder} is there already; nothing was changed") from None
    except OSError as error:
        raise CommandError(f"new: cannot make {folder}: {error.strerror}") from None
    _copy(files("botyard.cli.new") / "templates" / options.model, folder, _words(options.name))
    print(f"Made {folder}. Now try:\n  botyard scenario {folder}\n  botyard dev {folder}")
    return 0


def _words(name: str) -> dict[str, str]:
    machine = "".join(part.capitalize() for part in name.split("-"))
    return {"{name}": name, "{machine}": machine, "{variables}": f"{machine}Variables"}


def _copy(source: Traversable, target: Path, words: dict[str, str]) -> None:
    for entry in source.iterdir():
        if entry.is_dir():
            (target / entry.name).mkdir()
            _copy(entry, target / entry.name, words)
        elif entry.name.endswith(_SUFFIX):
            text = entry.read_text(encoding="utf-8")
            for word, value in words.items():
                text = text.replace(word, value)
            (target / entry.name.removesuffix(_SUFFIX)).write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard new", description="Make the folder of a new bot, with a scenario that it passes and manifests."
    )
    parser.add_argument("name", metavar="NAME", help="name of the bot and of its folder")
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="programming model (%(default)s)")
    parser.add_argument("--into", type=Path, metavar="DIR", help="where the folder is made (here)")
    return parser
