"""`botyard chat`."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from botyard.cli import remote
from botyard.cli.chat.session import Session
from botyard.cli.client import Client
from botyard.cli.errors import EXIT_USAGE, CommandError


def run(argv: Sequence[str]) -> int:
    """Talk to a bot; return 0, or 1 when a turn failed.

    Raises:
        CommandError: The gateway refuses, cannot be reached, or the options make no sense.
    """
    options = _parser().parse_args(argv)
    url, options.bot = _target(options.target)
    with closing(Client(url, options.token, retry_seconds=options.retry)) as client:
        bot = remote.bot_of(client, options)
        session = Session(
            client,
            bot,
            conversation=options.conversation,
            user_name="you",
            timeout=options.timeout,
            raw=options.events,
        )
        if options.once is not None:
            return session.play([options.once])
        if options.script is not None:
            return session.play(_script(options.script))
        return session.interact()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard chat",
        usage="botyard chat [URL] BOT [OPTIONS]",
        description="Talk to a bot in the terminal.",
        epilog="Where a bot offers options, their numbers choose them. In a conversation: /new begins another, /quit "
        "or Ctrl-D ends.",
    )
    parser.add_argument(
        "target",
        nargs="+",
        metavar="[URL] BOT",
        help=f"gateway (BOTYARD_URL, else {remote.DEFAULT_URL}) and bot, as NAME or NAMESPACE/NAME",
    )
    remote.add_token(parser)
    remote.add_namespace(parser)
    parser.add_argument("--conversation", metavar="ID", help="go on with a conversation")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--once", metavar="TEXT", help="send one message, print the answer, end")
    way.add_argument(
        "--script",
        metavar="FILE",
        help="send the lines of a file (- for standard input) one after the other, print everything, end; empty lines "
        "and lines that begin with # are left out",
    )
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="for the answer to a message (%(default)s)"
    )
    parser.add_argument(
        "--retry",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long refusals that may pass are retried (%(default)s)",
    )
    parser.add_argument("--events", action="store_true", help="print every event as a line of JSON instead")
    return parser


def _target(words: Sequence[str]) -> tuple[str, str]:
    if len(words) > 2:
        raise CommandError(f"chat: too many arguments: {' '.join(words[2:])}", code=EXIT_USAGE)
    url = words[0] if len(words) == 2 else os.environ.get("BOTYARD_URL", remote.DEFAULT_URL)
    return remote.checked_url(url, "chat"), words[-1]


def _script(name: str) -> Iterator[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise CommandError(f"chat: cannot read {name}: {reason}", code=EXIT_USAGE) from None
    return (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
