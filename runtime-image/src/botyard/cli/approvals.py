"""`botyard approvals`: calls of tools that wait for a person, and what the person decides."""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from botyard.cli import remote
from botyard.cli.client import Bot, Client
from botyard.cli.errors import CommandError

PAUSES = (0.0, 0.5, 1.0)
"""Seconds before each look for a call that is to be decided."""
PAGE = 200


def run(argv: Sequence[str]) -> int:
    """List the calls that wait, or allow or reject one.

    Raises:
        CommandError: The gateway refuses or cannot be reached.
    """
    options = _parser().parse_args(argv)
    with remote.client_of(options, "approvals") as client:
        bot = remote.bot_of(client, options)
        if options.action == "list":
            return _list(client, bot, options)
        return _decide(client, bot, options, allow=options.action == "allow")


def _list(client: Client, bot: Bot, options: argparse.Namespace) -> int:
    found = [
        {"thread": thread["id"], "title": thread["title"], **call}
        for thread in _threads(client, bot, options.persona)
        for call in thread["confirmations"]
    ]
    if options.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    rows = [(each["call"], each["tool"], each["command"] or each["arguments"], each["explanation"]) for each in found]
    print(remote.table(("CALL", "TOOL", "COMMAND", "WHY"), rows) if rows else "No call waits for a person.")
    return 0


def _threads(client: Client, bot: Bot, persona: str) -> list[dict[str, Any]]:
    threads: list[dict[str, Any]] = []
    after = ""
    while True:
        query = {"waiting": "true", "limit": PAGE} | ({"after": after} if after else {})
        page = client.call("GET", f"{_path(bot, persona)}/threads?{urlencode(query)}")
        threads += page["threads"]
        after = page["last"]
        if not after:
            return threads


def _waits(client: Client, bot: Bot, options: argparse.Namespace) -> bool:
    """Tell whether a call waits; lists of threads follow what was said within moments."""
    for pause in PAUSES:
        time.sleep(pause)
        threads = _threads(client, bot, options.persona)
        if any(call["call"] == options.call for thread in threads for call in thread["confirmations"]):
            return True
    return False


def _decide(client: Client, bot: Bot, options: argparse.Namespace, *, allow: bool) -> int:
    if not _waits(client, bot, options):
        raise CommandError(f"no call {options.call} waits for a person, or its thread is another user's")
    body = {"allow": allow} | ({"reason": options.reason} if options.reason else {})
    client.call("POST", f"{_path(bot, options.persona)}/calls/{quote(options.call, safe='')}/confirm", body)
    print(f"{options.call} is {'allowed' if allow else 'rejected'}")
    return 0


def _path(bot: Bot, persona: str) -> str:
    return f"{bot.path}/personas/{quote(persona, safe='')}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard approvals",
        description="Calls of tools of a loop bot that wait for a person. A thread belongs to the user who began it: "
        "others need the right to act for users.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    parents = [remote.options()]
    listing = actions.add_parser("list", parents=parents, help="what waits")
    allow = actions.add_parser("allow", parents=parents, help="have a call made")
    reject = actions.add_parser("reject", parents=parents, help="have a call not made; the model is told why")
    for each in (listing, allow, reject):
        each.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
        each.add_argument("persona", metavar="PERSONA", help="whose calls")
    for each in (allow, reject):
        each.add_argument("call", metavar="CALL", help="as `list` shows it")
    reject.add_argument("--reason", default="", metavar="TEXT", help="told to the model")
    allow.set_defaults(reason="")
    listing.add_argument("-o", "--output", choices=["table", "json"], default="table", help="(%(default)s)")
    return parser
