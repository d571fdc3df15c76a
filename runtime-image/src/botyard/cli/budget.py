"""`botyard budget`: what a bot and its Personas spend, and further amounts for them."""

import argparse
import json
import sys
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from botyard.budget.reports import Account, csv
from botyard.cli import remote
from botyard.cli.client import Bot, Client


def run(argv: Sequence[str]) -> int:
    """Show or export spending, or grant a further amount.

    Raises:
        CommandError: The gateway refuses or cannot be reached.
    """
    options = _parser().parse_args(argv)
    with remote.client_of(options, "budget") as client:
        bot = remote.bot_of(client, options)
        return int({"show": _show, "history": _history, "grant": _grant}[options.action](client, bot, options))


def _path(bot: Bot, persona: str, **query: Any) -> str:
    place = f"{bot.path}/personas/{quote(persona, safe='')}/budget" if persona else f"{bot.path}/budget"
    given = {name: value for name, value in query.items() if value}
    return f"{place}?{urlencode(given)}" if given else place


def _show(client: Client, bot: Bot, options: argparse.Namespace) -> int:
    found = client.call("GET", _path(bot, options.persona, task=options.task, thread=options.thread))
    if options.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    header = ("ACCOUNT", "PERIOD", "SPENT", "RESERVED", "LIMIT", "GRANTED", "REMAINING")
    print(remote.table(header, [_row(line) for line in found["accounts"]]))
    for ask in found["asks"]:
        print(
            remote.printable(
                f"asked: {ask['account']} needs {ask['needed']} coins more; grant them with `kubectl botyard budget "
                f"grant {bot.namespace}/{bot.name} {ask['persona']} {ask['needed']}{_where(ask)}`"
            )
        )
    return 0


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    limit = "none" if line["limit"] is None else str(line["limit"])
    left = "" if line["remaining"] is None else str(line["remaining"])
    amounts = str(line["spent"]), str(line["reserved"]), limit, str(line["granted"])
    return line["account"], line["period"] or "always", *amounts, f"{left} (used up)" if line["exceeded"] else left


def _where(ask: dict[str, Any]) -> str:
    """Return the option of `grant` for the account of a request."""
    kind, _, name = ask["account"].partition(":")
    return f" --{kind} {name.partition('/')[2]}" if kind in ("task", "thread") else ""


def _history(client: Client, bot: Bot, options: argparse.Namespace) -> int:
    found = client.call("GET", _path(bot, options.persona, days=options.days))
    if options.output == "json":
        print(json.dumps(found["days"], indent=2, ensure_ascii=False))
    else:
        rows = [
            Account(
                name=day["account"],
                period=day["day"],
                spent=day["coins"],
                granted=day["granted"],
                cap=day["limit"],
                counts=day["counts"],
            )
            for day in found["days"]
        ]
        text = csv(rows)
        if options.output == "csv":
            sys.stdout.write(text)
        else:
            header, *cells = [line.split(",") for line in text.splitlines()]
            print(remote.table([name.upper() for name in header], cells))
    if not found["complete"]:
        print("there is more: ask for fewer days or for one Persona", file=sys.stderr)
    return 0


def _grant(client: Client, bot: Bot, options: argparse.Namespace) -> int:
    # The id makes sending again harmless.
    body = {"coins": options.coins, "id": options.id or str(uuid.uuid4())}
    body |= {name: value for name in ("task", "thread") if (value := getattr(options, name))}
    found = client.call("POST", f"{_path(bot, options.persona)}/grants", body)
    if found["duplicate"]:
        print(f"{found['account']} has this grant already")
    else:
        print(f"{found['account']} may spend {options.coins} coins more")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard budget",
        description="What a bot and its Personas spend, in coins: 1 coin is 1 microdollar. A Persona's budget needs "
        "the verb `use` or `operate` on the bot; that of the whole bot, and grants, the verb `operate`.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    parents = [remote.options()]
    show = actions.add_parser("show", parents=parents, help="what was spent today and what is left")
    history = actions.add_parser("history", parents=parents, help="what was spent, day by day; CSV for spreadsheets")
    grant = actions.add_parser("grant", parents=parents, help="allow a Persona a further amount until its day ends")
    for each in (show, history, grant):
        each.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    for each in (show, history):
        each.add_argument("--persona", default="", metavar="NAME", help="only this Persona")
    show.add_argument("-o", "--output", choices=["table", "json"], default="table", help="(%(default)s)")
    history.add_argument("-o", "--output", choices=["table", "csv", "json"], default="table", help="(%(default)s)")
    history.add_argument("--days", type=int, default=31, metavar="N", help="how far back, 1 to 400 (%(default)s)")
    grant.add_argument("persona", metavar="PERSONA", help="who may spend it")
    grant.add_argument("coins", type=int, metavar="COINS", help="how much more")
    grant.add_argument("--id", default="", help="the same grant again does nothing")
    for each, what in ((show, "also this"), (grant, "only for this")):
        each.add_argument("--task", default="", metavar="ID", help=f"{what} task of the Persona")
        each.add_argument(
            "--thread", default="", metavar="ID", help=f"{what} thread of the Persona, by its conversation"
        )
    return parser
