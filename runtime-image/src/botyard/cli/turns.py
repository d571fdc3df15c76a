"""`botyard turns`."""

import argparse
from collections.abc import Sequence
from urllib.parse import quote

from botyard.cli import remote


def run(argv: Sequence[str]) -> int:
    """Act on turns of a conversation.

    Raises:
        CommandError: The gateway refuses or cannot be reached.
    """
    options = _parser().parse_args(argv)
    with remote.client_of(options, "turns") as client:
        bot = remote.bot_of(client, options)
        conversation = quote(options.conversation, safe="")
        if options.action == "interrupt":
            turns = client.call("POST", f"{bot.path}/conversations/{conversation}/interrupt")["turns"]
            print(f"asked for {len(turns)} turns to be cancelled")
            return 0
        turn = quote(options.turn, safe="")
        client.call("POST", f"{bot.path}/conversations/{conversation}/turns/{turn}/cancel")
    print(f"asked for {options.turn} to be cancelled")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="botyard turns", description="Act on the turns of a conversation.")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    cancel = actions.add_parser(
        "cancel",
        parents=[remote.options()],
        help="cancel a turn that waits or runs",
        description="Cancel a turn that waits or runs. It keeps nothing of its state; turns behind it go on. In the "
        "conversations of others this needs the verb `operate` on the bot.",
    )
    cancel.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    cancel.add_argument("conversation", metavar="CONVERSATION")
    cancel.add_argument("turn", metavar="TURN")
    interrupt = actions.add_parser(
        "interrupt",
        parents=[remote.options()],
        help="cancel all turns of a conversation that wait, run or are parked",
        description="Cancel all turns of a conversation that wait, run or are parked. What is sent from now on is run.",
    )
    interrupt.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    interrupt.add_argument("conversation", metavar="CONVERSATION")
    return parser
