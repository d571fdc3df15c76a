"""`botyard usage`: what a bot used of paid services, by day or by turn."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from botyard.cli import remote
from botyard.cli.errors import CommandError
from botyard.usage.rollups import Row, rows_of_events
from botyard.workflow.storage import StorageError, open_storage

_COLUMNS = ("calls", "failed", "input", "output", "tokens", "milliseconds", "microdollars")


def run(argv: Sequence[str]) -> int:
    """Show what a bot used.

    Raises:
        CommandError: The gateway refuses or cannot be reached, or the storage cannot be read.
    """
    options = _parser().parse_args(argv)
    if options.storage:
        _show(options, _stored(options))
        return 0
    with remote.client_of(options, "usage") as client:
        bot = remote.bot_of(client, options)
        asked = {name: value for name in ("day", "turn") if (value := getattr(options, name))}
        found = client.call("GET", f"{bot.path}/usage?{urlencode(asked)}")
    _show(options, [Row(row["service_type"], row["component"], row["model"], row["sums"]) for row in found["rows"]])
    return 0


def _stored(options: argparse.Namespace) -> list[Row]:
    """Read the events of a day themselves, as the storage has them."""
    namespace, _, name = options.bot.partition("/")
    try:
        day = date.fromisoformat(options.day) if options.day else datetime.now(UTC).date()
        return rows_of_events(_events(options.storage, f"accounting/{namespace}/{name}/{day:%Y.%m.%d}", options.turn))
    except (StorageError, OSError, ValueError) as error:
        raise CommandError(f"{options.storage} cannot be read: {error}") from None


def _events(uri: str, folder: str, turn: str) -> Iterator[Mapping[str, Any]]:
    storage = open_storage(uri)
    for path in storage.walk(folder):
        event = json.loads(storage.read(path))
        if not turn or (event.get("context") or {}).get("turn_id") == turn:
            yield event


def _show(options: argparse.Namespace, rows: Sequence[Row]) -> None:
    if options.output == "json":
        told = [
            {"service_type": row.service_type, "component": row.component, "model": row.model, "sums": row.sums}
            for row in rows
        ]
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    header = ("SERVICE", "COMPONENT", "MODEL", *(name.upper() for name in _COLUMNS))
    print(
        remote.table(
            header,
            [
                (row.service_type, row.component, row.model, *(str(row.sums.get(name, 0)) for name in _COLUMNS))
                for row in rows
            ],
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard usage",
        parents=[remote.options()],
        description="What a bot used of paid services on a day, or in one turn, by component and model. It needs the "
        "verb `operate` on the bot.",
    )
    parser.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    parser.add_argument("--day", default="", metavar="DATE", help="a day in UTC such as 2026-11-21 (today)")
    parser.add_argument("--turn", default="", metavar="ID", help="only this turn")
    parser.add_argument(
        "--storage", default="", metavar="ADDRESS", help="read the events of BOT (NAMESPACE/NAME) from their storage"
    )
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table", help="(%(default)s)")
    return parser
