"""Entry point of the command `botyard`."""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import cast

from botyard.cli.errors import EXIT_INTERRUPTED, EXIT_USAGE, CommandError

Run = Callable[[Sequence[str]], int]

ENTRY_POINTS = "botyard.commands"
"""Group of entry points by which other packages give the commands that this one cannot have."""


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: `module.function(argv)` gives the exit code."""

    name: str
    summary: str
    module: str = ""
    """Where it is; empty: another package gives it as an entry point of this name."""
    function: str = "run"
    for_people: bool = True
    package: str = ""
    """The package that gives it, where it is not this one."""

    def load(self) -> Run:
        """Import the module; nothing of it is imported before.

        Raises:
            CommandError: The package that has it is not installed.
        """
        if self.module:
            return cast("Run", getattr(importlib.import_module(self.module), self.function))
        for found in entry_points(group=ENTRY_POINTS, name=self.name):
            return cast("Run", found.load())
        raise CommandError(
            f"{self.name} is part of the package {self.package}, which is not installed here: pip install "
            f"{self.package}=={_version()}",
            code=EXIT_USAGE,
        )


COMMANDS: tuple[Command, ...] = (
    Command("dev", "run a bot from a folder on this machine, with everything it needs", "botyard.cli.dev.command"),
    Command("chat", "talk to a bot in the terminal", "botyard.cli.chat.command"),
    Command("new", "make the folder of a new bot, which works", "botyard.cli.new.command"),
    Command("inspect", "print what a bundle is: its manifest", "botyard.inspection.command", "main"),
    Command("scenario", "run a bundle's scenarios", "botyard.scenario.command", "main"),
    Command("model-stub", "serve a scripted model over the OpenAI protocol", "botyard.models.stub"),
    Command("compatibility", "tell which sessions cannot go on with the code of a folder", "botyard.cli.compatibility"),
    Command("import", "print a registry of workflow bundles as Bundles and Bots", "botyard.cli.importing.command"),
    Command("validate", "check manifests of Bundles, Bots and Personas without a cluster", package="botyard-operator"),
    Command("render", "print the children that the operator would apply", package="botyard-operator"),
    Command("turns", "cancel a turn that waits or runs, or all of a conversation", "botyard.cli.turns"),
    Command("fork", "begin a conversation where another one was", "botyard.cli.fork"),
    Command("dead-letters", "list, requeue or drop events that were given up", "botyard.cli.dead_letters"),
    Command("usage", "tell what a bot used of paid services, by day or turn", "botyard.cli.usage"),
    Command("approvals", "list calls of tools that wait for a person, allow or reject them", "botyard.cli.approvals"),
    Command("erp", "print the SQL that lets Personas write rows", "botyard.cli.erp"),
    Command("budget", "tell what a bot and its Personas spend, and grant more", "botyard.cli.budget"),
    Command("gateway", "serve the HTTP API and the console", "botyard.cli.gateway", for_people=False),
    Command("connector", "bring changes of databases to Personas", "botyard.cli.connector", for_people=False),
    Command("supervisor", "run the supervisor of a runtime pod", "botyard.cli.supervisor", for_people=False),
    Command("worker-host", "run the workers of a runtime pod", "botyard.cli.worker_host", for_people=False),
    Command("builder", "install and import a bundle in a build pod", "botyard.bundle_build.builder", for_people=False),
    Command("build-courier", "fetch and deliver in a build pod", "botyard.bundle_build.courier", for_people=False),
    Command("scenario-gate", "run a revision's scenarios in a pod", "botyard.scenario.gate", for_people=False),
    Command("fetch", "fetch and verify the bundle of a runtime pod", "botyard.cli.fetch", for_people=False),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `botyard`; return the exit code.

    Args:
        argv: Arguments without the program's name; the process's own if left out.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except CommandError as error:
        print(f"botyard: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output went away, as `head` does: end as other programs do, and silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else EXIT_USAGE
    name, *rest = arguments
    if name in ("-V", "--version"):
        print(f"botyard {_version()}")
        return 0
    for command in COMMANDS:
        if command.name == name:
            return command.load()(rest)
    raise CommandError(_unknown(name), code=EXIT_USAGE)


def usage() -> str:
    """Return the help text."""
    width = max(len(command.name) for command in COMMANDS)
    people = [f"  {each.name:{width}}  {each.summary}" for each in COMMANDS if each.for_people]
    pods = [f"  {each.name:{width}}  {each.summary}" for each in COMMANDS if not each.for_people]
    return "\n".join(
        [
            "usage: botyard COMMAND [OPTIONS]",
            "",
            "Bots on Kubernetes.",
            "",
            "Commands:",
            *people,
            "",
            "What containers run:",
            *pods,
            "",
            "`botyard COMMAND --help` tells more of each; `botyard --version` prints the version.",
        ]
    )


def _unknown(name: str) -> str:
    # Only here: most runs do not need it.
    import difflib

    nearest = difflib.get_close_matches(name, [command.name for command in COMMANDS], n=1, cutoff=0.5)
    hint = f"did you mean `botyard {nearest[0]}`?" if nearest else "`botyard --help` lists the commands."
    return f"there is no command `{name}`; {hint}"


def _version() -> str:
    try:
        return version("botyard")
    except PackageNotFoundError:
        return "0"


if __name__ == "__main__":
    sys.exit(main())
