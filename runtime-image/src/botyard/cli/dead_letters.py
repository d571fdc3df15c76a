"""`botyard dead-letters`: events that were given up."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from botyard.cli import remote
from botyard.cli.client import Bot, Client, Refusal
from botyard.cli.errors import EXIT_FAILED


def run(argv: Sequence[str]) -> int:
    """List, requeue or drop dead letters; 1 when a letter is not there.

    Raises:
        CommandError: The gateway refuses or cannot be reached.
    """
    options = _parser().parse_args(argv)
    with remote.client_of(options, "dead-letters") as client:
        bot = remote.bot_of(client, options)
        if options.action == "list":
            return _list(client, bot, options)
        return _settle(client, bot, options)


def _list(client: Client, bot: Bot, options: argparse.Namespace) -> int:
    after = f"&after={quote(options.after, safe='')}" if options.after else ""
    found = client.call("GET", f"{bot.path}/dead-letters?limit={options.limit}{after}")
    if options.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    if not found["letters"]:
        print(f"{bot.namespace}/{bot.name} has no dead letters")
        return 0
    print(remote.table(("ID", "GIVEN UP", "CONVERSATION", "TURN", "WHY"), [_row(each) for each in found["letters"]]))
    if found["more"]:
        print(f"there are more: --after {found['letters'][-1]['id']}", file=sys.stderr)
    return 0


def _row(letter: dict[str, Any]) -> tuple[str, ...]:
    when = datetime.fromtimestamp(letter["given_up"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return letter["id"], when, letter["conversation"], letter["turn"], letter["error"]["message"]


def _settle(client: Client, bot: Bot, options: argparse.Namespace) -> int:
    method, path, done = {
        "requeue": ("POST", "/requeue", "runs again"),
        "drop": ("DELETE", "", "is forgotten"),
    }[options.action]
    code = 0
    for letter in options.letters:
        try:
            client.call(method, f"{bot.path}/dead-letters/{quote(letter, safe='')}{path}")
        except Refusal as error:
            if error.status != 404 or error.type != "unknown-letter":
                raise
            print(f"{bot.namespace}/{bot.name} has no dead letter {letter}", file=sys.stderr)
            code = EXIT_FAILED
        else:
            print(f"{letter} {done}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard dead-letters",
        description="Events that a bot's runtime gave up, after their runs killed their workers or never came to an "
        "end. They need the verb `operate` on the bot.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    parents = [remote.options()]
    shown = actions.add_parser("list", parents=parents, help="list them, oldest first")
    shown.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    shown.add_argument("--limit", type=int, default=50, metavar="N", help="most letters, 1 to 200 (%(default)s)")
    shown.add_argument("--after", metavar="ID", help="only those behind this letter")
    shown.add_argument("-o", "--output", choices=["table", "json"], default="table", help="(%(default)s)")
    for action, what in (("requeue", "run events again"), ("drop", "forget events for good")):
        settle = actions.add_parser(action, parents=parents, help=what)
        settle.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
        settle.add_argument("letters", nargs="+", metavar="ID", help="as listed")
    return parser
