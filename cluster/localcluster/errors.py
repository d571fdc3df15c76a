"""The one exception that reaches the user as a message instead of a traceback."""

from pathlib import Path

TAIL_LINES = 15


class ClusterError(Exception):
    """Something a person has to know or do; the message says what happened and what to do next.

    Args:
        message: What happened and what to do.
        log: Log file whose last lines explain it, where there is one.
    """

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log

    def __str__(self) -> str:
        message = super().__str__()
        if self.log is None:
            return message
        return f"{message}\n{tail(self.log)}"


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, indented, under a line that names the file."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 64 * 1024))
            text = stream.read().decode(errors="replace")
    except OSError as error:
        return f"  ({log}: {error.strerror})"
    last = [f"    {line}" for line in text.splitlines()[-lines:]]
    return "\n".join([f"  last lines of {log}:", *last])
