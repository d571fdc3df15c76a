"""`python -m demo up | down`: see the Makefile's `demo` and `demo-clean`."""

import argparse
import signal
import sys
from types import FrameType
from typing import NoReturn

from demo.commands import DemoError
from demo.console import say
from demo.story import down, up

INTERRUPTED = 130


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    command = parser.parse_args().command
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        up() if command == "up" else down()
    except DemoError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted: `make demo` goes on where it stopped, `make demo-clean` takes the demo away.")
        return INTERRUPTED
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
