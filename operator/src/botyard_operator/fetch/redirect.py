"""Redirects of a git server, followed only within its own host.

git can refuse every redirect or follow the first one anywhere; a forge that redirects `/team/bots` to
`/team/bots.git` should work, one that sends credentials and content elsewhere should not. So git refuses all, and
when it stopped at one this module looks where it led.
"""

import ssl
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.url import GitUrl, parse_git_url, redact_url

_SUFFIX = "/info/refs"
_ADVERTISEMENT = "application/x-git-upload-pack-advertisement"


class _Stop(HTTPRedirectHandler):
    """Hands redirects to the caller instead of following them."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str) -> None:
        return None


@dataclass(frozen=True)
class Answer:
    """What a server says to git's first request."""

    location: str
    """Where it redirects to; empty when it does not."""
    content_type: str

    @property
    def is_git(self) -> bool:
        """Whether the server speaks git's smart protocol."""
        return self.content_type == _ADVERTISEMENT


def ask(url: GitUrl, *, authorization: str, ca_file: str | None, timeout: float, proxy: str = "") -> Answer:
    """Send git's first request and return the answer, following nothing.

    Args:
        url: the remote, over http or https.
        authorization: value of the Authorization header, may be empty.
        ca_file: authorities to trust instead of the system's.
        timeout: seconds to wait for the server.
        proxy: URL of the proxy instead of the environment's.

    Raises:
        FetchError: ConnectionFailed.
    """
    # Only http and https URLs get here, from parse_git_url.
    headers = {"User-Agent": "git/botyard"} | ({"Authorization": authorization} if authorization else {})
    request = Request(f"{url.clean}{_SUFFIX}?service=git-upload-pack", headers=headers)  # noqa: S310
    way = ProxyHandler({"http": proxy, "https": proxy}) if proxy else ProxyHandler()
    opener = build_opener(way, _Stop(), HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
    try:
        with opener.open(request, timeout=timeout) as response:
            return Answer("", response.headers.get_content_type())
    except HTTPError as answer:
        answer.close()
        return Answer(answer.headers.get("Location") or "", answer.headers.get_content_type())
    except (URLError, HTTPException, OSError) as error:
        raise FetchError(Reason.CONNECTION_FAILED, f"{url.clean}: {error}.") from error


def redirected_url(url: GitUrl, location: str, *, protocols: tuple[str, ...]) -> GitUrl:
    """Return the repository that a redirect leads to.

    Args:
        url: the remote that git was redirected at.
        location: where to.
        protocols: transports that the installation allows.

    Raises:
        FetchError: RedirectRefused when it leads to another host or to less security, ServerError when the server
            does not say where.
    """
    if not location:
        raise FetchError(Reason.SERVER_ERROR, f"{url.clean}: the server redirects without saying where to.")
    target = urlsplit(urljoin(f"{url.clean}{_SUFFIX}", location))
    base = target._replace(query="", fragment="").geturl()
    shown = redact_url(base.removesuffix(_SUFFIX))
    if target.hostname != urlsplit(url.clean).hostname or not base.endswith(_SUFFIX):
        raise FetchError(
            Reason.REDIRECT_REFUSED,
            f"{url.clean} redirects to {shown}, which is another host or no repository; "
            "write the final address into spec.git.url if you trust it.",
        )
    if url.protocol == "https" and target.scheme != "https":
        raise FetchError(Reason.REDIRECT_REFUSED, f"{url.clean} redirects to {shown}, which is not encrypted.")
    return parse_git_url(base.removesuffix(_SUFFIX), protocols=protocols)
