"""Where the name of a git server leads: judged, and held for git, so that it leads nowhere else a moment later."""

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from botyard_operator.fetch.request import Credentials
from botyard_operator.fetch.url import GitUrl, check_host

_PORTS = {"http": 80, "https": 443}


def proxy_of(url: GitUrl, credentials: Credentials) -> str:
    """Return the HTTP proxy to go through: the Secret's, or the installation's; empty: none."""
    if credentials.proxy:
        return credentials.proxy
    proxy = getproxies().get(url.protocol, "")
    return "" if not proxy or proxy_bypass(urlsplit(url.clean).netloc) else proxy


def pinned_addresses(url: GitUrl, credentials: Credentials) -> str:
    """Resolve the name of a server once, and return what makes git stay with the answer (`http.curloptResolve`).

    Args:
        url: the remote.
        credentials: may name a proxy, which then resolves.

    Returns:
        Empty where git resolves nothing itself, or will not find the name either.

    Raises:
        FetchError: UrlInvalid, when the name leads to the machine's own services.
    """
    parts = urlsplit(url.clean)
    if url.protocol not in _PORTS or not parts.hostname or proxy_of(url, credentials):
        return ""
    port = parts.port or _PORTS[url.protocol]
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return ""
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in addresses:
        check_host(address, url.clean)
    shown = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}:{shown}"
