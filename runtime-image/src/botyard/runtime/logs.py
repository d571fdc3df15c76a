"""Structured logs: one JSON object a line, with the turn that a line belongs to."""

import contextvars
import io
import json
import logging
import sys
import time
from typing import Any, TextIO

turn_fields: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("turn_fields", default=None)
"""{conversation, turn} of the code that runs now, added to each of its lines."""

MAX_LINE = 16_384
"""Characters of one line; the rest of a longer one is cut."""


def format_line(level: str, message: str, **fields: Any) -> str:
    """Return one log line as JSON."""
    if len(message) > MAX_LINE:
        message = f"{message[:MAX_LINE]}… ({len(message)} characters)"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03d}Z"
    return json.dumps(
        {"time": stamp, "level": level, "message": message, **(turn_fields.get() or {}), **fields},
        ensure_ascii=False,
        default=str,
    )


class JsonFormatter(logging.Formatter):
    """Formats records of the standard library's logging; `extra={"fields": {…}}` adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as one JSON line."""
        fields: dict[str, Any] = {"logger": record.name, **getattr(record, "fields", {})}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return format_line(record.levelname.lower(), record.getMessage(), **fields)


def configure(level: str = "INFO", *, plain: bool = False, stream: TextIO | None = None) -> None:
    """Send all logging to `stream` (default: standard error), as JSON lines or, for a terminal, as plain text."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S") if plain else JsonFormatter()
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "asyncio", "uvicorn.access", "transitions"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class LineStream(io.TextIOBase):
    """Stands in for stdout and stderr of bundle code: what it prints becomes log lines that name their turn.

    Bundle code may print as it likes: the protocol has a connection of its own.
    """

    def __init__(self, target: TextIO, name: str) -> None:
        self._target = target
        self._name = name
        self._rest = ""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Take text; every complete line is logged."""
        self._rest += text
        *lines, self._rest = self._rest.split("\n")
        if len(self._rest) > MAX_LINE:
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            self._target.write(format_line("info", line, logger="bundle", stream=self._name) + "\n")
        if lines:
            self._target.flush()
        return len(text)

    def flush(self) -> None:
        """Log a line that has no end yet."""
        if self._rest:
            self.write("\n")
