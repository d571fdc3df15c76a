"""Query parameters: known ones of a shape; unknown ones are refused by name."""

import difflib
import re
from collections.abc import Collection

from starlette.requests import Request

from botyard.gateway.problems import Problem

_POSITION = re.compile(r"[0-9]{1,15}")


def only(request: Request, *names: str) -> None:
    """Refuse parameters other than these.

    Raises:
        Problem: `bad-parameter` with the nearest valid name.
    """
    for name in request.query_params:
        if name not in names:
            raise Problem("bad-parameter", f"There is no parameter `{name[:64]}`.{_hint(name, names)}")


def flag(request: Request, name: str, *, default: bool) -> bool:
    """Return a boolean parameter.

    Raises:
        Problem: `bad-parameter`.
    """
    value = request.query_params.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise Problem("bad-parameter", f"The parameter `{name}` must be `true` or `false`.")
    return value == "true"


def number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    """Return an integer parameter within bounds.

    Raises:
        Problem: `bad-parameter`.
    """
    value = request.query_params.get(name)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise Problem("bad-parameter", f"The parameter `{name}` must be a number from {least} to {most}.")
    return int(value)


def position(request: Request) -> str:
    """Return where to read on: Last-Event-ID, which reconnecting clients send, else `after`, else the beginning.

    Raises:
        Problem: `bad-parameter`.
    """
    for where, value in (
        ("header Last-Event-ID", request.headers.get("last-event-id")),
        ("parameter `after`", request.query_params.get("after")),
    ):
        if value:
            if not _POSITION.fullmatch(value):
                raise Problem("bad-parameter", f"The {where} must be the id of an event.")
            # 0 stands before the first event: everything that is kept.
            return value if int(value) else ""
    return ""


def _hint(name: str, names: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if nearest:
        return f" Did you mean `{nearest[0]}`?"
    return f" There are: {', '.join(names)}." if names else " The call takes none."
