"""Commands that fail say which, and what they said."""

import sys

import pytest

from demo.commands import DemoError, run


def test_a_missing_program_is_named() -> None:
    with pytest.raises(DemoError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_failure_carries_the_commands_own_words() -> None:
    with pytest.raises(DemoError, match=r"exit code 3.*\n.*out of coins"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('out of coins'); sys.exit(3)"])


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(DemoError, match="did not end within"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.2)
