"""By which names a gateway lets itself be called."""

from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem


def check_host(gateway: Gateway, host: str) -> None:
    """Refuse a request for another host, where nobody is authenticated: a browser was led here by a foreign name.

    Raises:
        Problem: `misdirected`.
    """
    if gateway.hosts is None:
        return
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    if name.lower() not in gateway.hosts:
        raise Problem("misdirected", "Without authentication only local names are served, such as localhost.")
