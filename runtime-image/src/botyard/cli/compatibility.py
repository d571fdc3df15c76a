"""`botyard compatibility`: can a running bot's sessions go on with the code in a folder?"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from botyard.cli import remote
from botyard.cli.errors import EXIT_FAILED, EXIT_USAGE, CommandError
from botyard.contract.bot import Entrypoint
from botyard.inspection.bundle import inspect_bundle


def run(argv: Sequence[str]) -> int:
    """Tell which sessions cannot go on; 1 when there are such.

    Raises:
        CommandError: The folder holds no machine, or the gateway refuses or cannot be reached.
    """
    options = _parser().parse_args(argv)
    if not options.folder.is_dir():
        raise CommandError(f"compatibility: {options.folder} is not a folder", code=EXIT_USAGE)
    module, _, symbol = options.entrypoint.partition(":")
    manifest, _ = inspect_bundle(options.folder.resolve(), Entrypoint(model="fsm", module=module, symbol=symbol))
    if manifest.machine is None:
        why = manifest.findings[0].message if manifest.findings else "no machine was found"
        raise CommandError(f"compatibility: {options.folder}: {why}")
    shape = manifest.machine.shape().model_dump(mode="json", by_alias=True)
    with remote.client_of(options, "compatibility") as client:
        bot = remote.bot_of(client, options)
        found = client.call("POST", f"{bot.path}/compatibility", {"machine": shape})
    if options.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(f"{found['incompatible']} of {found['sessions']} sessions of {bot.namespace}/{bot.name} cannot go on")
        if found["causes"]:
            rows = [
                (each["kind"], each["subject"], str(each["sessions"]), ", ".join(each["examples"]), each["message"])
                for each in found["causes"]
            ]
            print(remote.table(("CAUSE", "SUBJECT", "SESSIONS", "FOR EXAMPLE", "WHY"), rows))
    return EXIT_FAILED if found["incompatible"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard compatibility",
        description="Count the stored sessions of a running bot that could not go on with the code of a folder: what "
        "the operator asks before it rolls a revision out. Needs the verb `operate` on the bot.",
        epilog="Exit code 1 where there are such sessions.",
        parents=[remote.options()],
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the new code")
    parser.add_argument("bot", metavar="BOT", help="NAME or NAMESPACE/NAME")
    parser.add_argument("--entrypoint", default="", metavar="MODULE[:SYMBOL]", help="where the bot is, if not found")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table", help="(%(default)s)")
    return parser
