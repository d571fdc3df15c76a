"""What all commands against a running gateway have in common: where it is, who calls, and which bot is meant."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from botyard.cli.client import Bot, Client
from botyard.cli.errors import EXIT_USAGE, CommandError

DEFAULT_URL = "http://127.0.0.1:8080"


def add_token(parser: argparse.ArgumentParser) -> None:
    """Declare `--token`."""
    parser.add_argument(
        "--token",
        default=os.environ.get("BOTYARD_TOKEN", ""),
        help="bearer token (BOTYARD_TOKEN, which others cannot see)",
    )


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """Declare `--namespace`."""
    parser.add_argument("-n", "--namespace", default="", help="namespace of a bot that is named without one")


def options() -> argparse.ArgumentParser:
    """Return the options of all these commands, as a parent for their parsers."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--url", default=os.environ.get("BOTYARD_URL", DEFAULT_URL), help="the gateway (BOTYARD_URL, else %(default)s)"
    )
    add_token(parser)
    add_namespace(parser)
    parser.add_argument(
        "--retry",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long refusals that may pass are retried (%(default)s)",
    )
    return parser


def checked_url(url: str, command: str) -> str:
    """Return the address of a gateway without a slash at its end.

    Raises:
        CommandError: It is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CommandError(f"{command}: {url} is not an address such as {DEFAULT_URL}", code=EXIT_USAGE)
    return url.rstrip("/")


@contextmanager
def client_of(options: argparse.Namespace, command: str) -> Iterator[Client]:
    """Yield a client of the gateway that the options name.

    Raises:
        CommandError: The address is none.
    """
    client = Client(checked_url(options.url, command), options.token, retry_seconds=options.retry)
    try:
        yield client
    finally:
        client.close()


def bot_of(client: Client, options: argparse.Namespace) -> Bot:
    """Return the bot that the options name: NAMESPACE/NAME, NAME with `--namespace`, or NAME alone if it is unique.

    Raises:
        CommandError: There is none, or several.
    """
    if options.namespace and "/" not in options.bot:
        return Bot(options.namespace, options.bot)
    return client.find_bot(options.bot)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns; what bots and users wrote cannot steer the terminal."""
    cells = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def printable(text: str) -> str:
    """Return text on one line, without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)
