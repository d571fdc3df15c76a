"""A running `botyard dev` for tests."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SECONDS = 90.0


class Dev:
    """A running `botyard dev`."""

    def __init__(
        self,
        folder: Path | None,
        *options: str,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """Start it; without a folder it runs what the environment lists, and `log` says where its log goes."""
        if log is None:
            assert folder is not None
            log = folder.parent / f"dev-{time.monotonic_ns()}.log"
        self.log = log
        self.folder = folder
        folders = [] if folder is None else [str(folder)]
        command = [sys.executable, "-m", "botyard.cli.main", "dev", *folders, "--port", str(port), *options]
        self.process = subprocess.Popen(
            command,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        self.url = self.logged(r"answers at (http://127\.0\.0\.1:\d+)/")[1]

    def logged(self, pattern: str) -> re.Match[str]:
        """Return where the log says so, once it does."""

        def look() -> re.Match[str] | None:
            assert self.process.poll() is None, self.log.read_text()
            return re.search(pattern, self.log.read_text())

        found: re.Match[str] = until(look, self.log.read_text)
        return found

    def chat(self, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `botyard chat`."""
        command = [sys.executable, "-m", "botyard.cli.main", "chat", self.url, "greeter", *options]
        return subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=SECONDS, check=False)

    def close(self) -> None:
        """End it as Ctrl-C does, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(SECONDS)


def until(look: Callable[[], Any], tell: Callable[[], str]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, tell()
        time.sleep(0.05)
    return found
