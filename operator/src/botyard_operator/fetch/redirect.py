"""Redirects of a git server, followed only within its own host.

git can refuse every redirect or follow the first one anywhere; a forge that redirects `/team/bots` to
`/team/bots.git` should work, one that sends credentials and content elsewhere should not. So git refuses all, and
when it stopped at one this module looks where it led.
"""

import ssl
from email.message import Message
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.url import GitUrl, parse_git_url, redact_url

_SUFFIX = "/info/refs"


class _Stop(HTTPRedirectHandler):
    """Hands redirects to the caller instead of following them."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str) -> None:
        return None


def redirected_url(
    url: GitUrl, *, protocols: tuple[str, ...], authorization: str, ca_file: str | None, timeout: float
) -> GitUrl:
    """Return where the server redirects the repository to.

    Args:
        url: the remote that git was redirected at.
        protocols: transports that the installation allows.
        authorization: value of the Authorization header, sent to the remote's own host only; may be empty.
        ca_file: authorities to trust instead of the system's.
        timeout: seconds to wait for the server.

    Raises:
        FetchError: RedirectRefused when it leads to another host or to less security, ServerError when the server
            does not say where.
    """
    # Only http and https URLs get here, from parse_git_url.
    headers = {"User-Agent": "git/botyard"} | ({"Authorization": authorization} if authorization else {})
    request = Request(f"{url.clean}{_SUFFIX}?service=git-upload-pack", headers=headers)  # noqa: S310
    opener = build_opener(_Stop(), HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
    location = ""
    try:
        with opener.open(request, timeout=timeout):
            pass
    except HTTPError as answer:
        location = answer.headers.get("Location") or ""
        answer.close()
    except (URLError, HTTPException, OSError) as error:
        raise FetchError(Reason.CONNECTION_FAILED, f"{url.clean}: {error}.") from error
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
