"""Which web pages may speak over channels that browsers do not guard by themselves. Pure."""

from collections.abc import Collection
from urllib.parse import urlsplit


def allowed(origin: str | None, host: str, origins: Collection[str]) -> bool:
    """Tell whether a page of this origin may speak.

    WebSockets, and forms that pages send, cross origins without asking. Where nobody proves who they are, any page that
    a browser shows could speak in its user's name.

    Args:
        origin: The header Origin; None: it is no page that speaks.
        host: The header Host.
        origins: Those that are let in besides the gateway's own pages; `*`: all.
    """
    if not origin or "*" in origins or origin in origins:
        return True
    return bool(host) and urlsplit(origin).netloc == host
