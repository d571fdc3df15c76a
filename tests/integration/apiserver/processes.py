"""Child processes of a test session: started in their own group, stopped by their pid, whatever happens."""

import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path


class ProcessEnded(Exception):
    """A server ended while it was waited for; the message has the end of its log."""


def free_ports(count: int) -> list[int]:
    """Return TCP ports of the loopback interface that nobody uses now.

    Another process may take one before it is used: whoever calls this starts again with others then.
    """
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Process:
    """One server with a log file."""

    def __init__(self, argv: Sequence[str | Path], log: Path) -> None:
        self.log = log
        # A test run that is killed runs no clean-up; the kernel then ends the server.
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*guard, *(str(argument) for argument in argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise ProcessEnded if it no longer runs."""
        if self._process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise ProcessEnded(f"{self.log.stem} ended with code {self._process.returncode}:\n{tail}")

    def join(self, timeout: float) -> None:
        """Wait until it ends by itself, at most `timeout` seconds."""
        self._process.wait(timeout)

    def stop(self, timeout: float = 5.0) -> None:
        """End it: politely, and after `timeout` seconds by force."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout)
