"""`botyard fork`."""

import argparse
from collections.abc import Sequence
from urllib.parse import quote

from botyard.cli import remote


def run(argv: Sequence[str]) -> int:
    """Begin a new conversation where another one was, and print its id.

    Raises:
        CommandError: The gateway refuses or cannot be reached.
    """
    options = _parser().parse_args(argv)
    with remote.client_of(options, "fork") as client:
        bot = remote.bot_of(client, options)
        after = f"?after={quote(options.after, safe='')}" if options.after else ""
        path = f"{bot.path}/conversations/{quote(options.conversation, safe='')}/fork{after}"
        print(client.call("POST", path)["conversation"])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard fork",
        parents=[remote.options()],
        description="Begin a new conversation of your own that goes on from where another one was; that one is not "
        "touched. For the conversations of others this needs the verb `operate` on the bot.",
    )
    parser.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    parser.add_argument("conversation", metavar="CONVERSATION")
    parser.add_argument("--after", metavar="TURN", help="begin after this turn; else after the newest")
    return parser
