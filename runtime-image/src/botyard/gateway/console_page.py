"""The console: a page of plain JavaScript that talks to the same API as everybody else."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem

_SCRIPT = "text/javascript; charset=utf-8"
_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    **dict.fromkeys(
        ("api.js", "budget.js", "chat.js", "console.js", "dom.js", "events.js", "threads.js", "transcript.js"), _SCRIPT
    ),
}
_HEADERS = {
    # No inline script or style, nothing from elsewhere, no frames: what a bot says can only ever be text.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_FILES = {name: (files("botyard.gateway") / "console" / name).read_bytes() for name in _TYPES}


async def console(gateway: Gateway, request: Request) -> Response:
    """Return the page or one of its files."""
    name = request.path_params.get("file", "index.html")
    if name not in _FILES:
        raise Problem("not-found")
    return Response(_FILES[name], headers={**_HEADERS, "Content-Type": _TYPES[name]})
