"""What courier and builder tell each other, by files in a folder that both mount.

The courier trusts nothing that it finds there: the builder runs foreign code that may write to the folder too.
"""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from botyard.contract.base import Document
from botyard.contract.build import MAX_LOG_BYTES, MAX_REPORT_BYTES, BuildFailure, BuildReport

_GO = "go.json"
_RESULT = "result.json"
_LOCK = "builder.lock"
_STARTED = "builder.started"
_LOG = "build.log"
_POLL = 0.02

D = TypeVar("D", bound=Document)


class Go(Document):
    """The courier's word that the source is there."""

    install: bool = False
    """Whether the layer must be made; otherwise there is none, or it lies there already."""
    give_up: bool = False
    """The build is over before it began."""


class Exchange:
    """The folder that the two containers share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = -1

    @property
    def log(self) -> Path:
        """The build's log."""
        return self._folder / _LOG

    def begin(self) -> None:
        """Builder: hold a lock as long as this process lives, so that its end is noticed however it comes."""
        self._lock = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self._folder / _STARTED).touch()

    def go(self, go: Go) -> None:
        """Courier: let the builder begin."""
        self._write(_GO, go)

    def await_go(self, seconds: float) -> Go:
        """Builder: wait for the courier.

        Raises:
            TimeoutError: It did not come.
        """
        return self._await(lambda: self._read(_GO, Go), seconds)

    def report(self, report: BuildReport) -> None:
        """Builder: tell how it ended."""
        self._write(_RESULT, report)

    def await_report(self, seconds: float) -> BuildReport:
        """Courier: wait for the builder's report, or for its end.

        Raises:
            TimeoutError: It neither reported nor ended.
        """

        def look() -> BuildReport | None:
            # In this order: a builder that reports and then ends must not be taken for one that only ended.
            ended = self._ended()
            return self._read(_RESULT, BuildReport) or (_dead() if ended else None)

        return self._await(look, seconds)

    def log_bytes(self) -> bytes:
        """Return the log, cut where it is too long; empty where there is none."""
        return _read_plain(self.log, MAX_LOG_BYTES) or b""

    def _await(self, look: Callable[[], D | None], seconds: float) -> D:
        give_up = time.monotonic() + seconds
        while (found := look()) is None:
            if time.monotonic() > give_up:
                raise TimeoutError
            time.sleep(_POLL)
        return found

    def _ended(self) -> bool:
        if not (self._folder / _STARTED).exists():
            return False
        handle = os.open(self._folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(handle)

    def _write(self, name: str, document: Document) -> None:
        partial = self._folder / f".{name}"
        partial.write_text(document.to_json())
        partial.replace(self._folder / name)

    def _read(self, name: str, model: type[D]) -> D | None:
        text = _read_plain(self._folder / name, MAX_REPORT_BYTES)
        if text is None:
            return None
        try:
            return model.model_validate_json(text)
        except ValidationError:
            return None


def _read_plain(path: Path, most: int) -> bytes | None:
    """Return the first bytes of an ordinary file; None where it is none: a pipe would hold the reader up for ever."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        try:
            return file.read(most)
        except OSError:
            return None


def _dead() -> BuildReport:
    return BuildReport(
        failure=BuildFailure(
            stage="install",
            reason="BuildFailed",
            message="the build ended without a result: it was killed, most likely for the memory that it used",
        )
    )
