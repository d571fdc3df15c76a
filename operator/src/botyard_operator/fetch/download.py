"""Downloads of archives over HTTP, inside the fetch child.

Forges and package indexes redirect to the hosts that really hold their files, so redirects are followed; but never to
an address inside of the cluster or of the cloud's own services, where a stranger's redirect could reach what the
stranger cannot, and never with credentials to another origin.
"""

import hashlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.url import check_host, redact_url

_REDIRECTS = 5
_BLOCK = 1 << 18
_IDLE_SECONDS = 20.0
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a server sent."""

    digest: str
    """`sha256:<hex>`; empty when it says that nothing changed."""
    etag: str
    """What it calls this content: its ETag, or the time of the last change; empty when it does not say."""


class _Private(OSError):
    """A redirect led to an address that is not public."""


def download(
    url: str,
    target: Path,
    *,
    headers: Mapping[str, str],
    known_etag: str,
    ca_file: str | None,
    proxy: str,
    most: int,
) -> Downloaded:
    """Download a file.

    Args:
        url: http or https.
        target: where to; must not exist.
        headers: for the URL's own origin, such as Authorization.
        known_etag: what an earlier answer called the content; it is not sent again.
        ca_file: authorities to trust instead of the system's.
        proxy: URL of the proxy instead of the environment's.
        most: bytes.

    Raises:
        FetchError: with the documented reason.
        OSError: the file cannot be written.
    """
    origin, host, address = _origin(url), urlsplit(url).hostname, url
    for _ in range(_REDIRECTS + 1):
        own = _origin(address) == origin
        sent = {
            "User-Agent": "botyard",
            "Accept-Encoding": "identity",
            **(headers if own else {}),
            **_if_new(known_etag),
        }
        # Only http and https get here: parse_archive_url and _redirected.
        request = Request(address, headers=sent)  # noqa: S310
        opener = _opener(ca_file if own else None, proxy, guarded=urlsplit(address).hostname != host)
        try:
            with opener.open(request, timeout=_IDLE_SECONDS) as answer:
                return _save(answer, target, address, most)
        except HTTPError as answer:
            location = answer.headers.get("Location") or ""
            answer.close()
            if answer.code == _NOT_MODIFIED:
                return Downloaded("", known_etag)
            if answer.code not in {301, 302, 303, 307, 308}:
                raise _refused(answer.code, address) from None
            address = _redirected(address, location)
        except URLError as error:
            raise _unreachable(error.reason, address) from error
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            raise _unreachable(error, address) from error
    raise FetchError(Reason.REDIRECT_REFUSED, f"{redact_url(url)}: the server redirects again and again.")


def _if_new(etag: str) -> dict[str, str]:
    if not etag:
        return {}
    return {"If-None-Match": etag} if etag.startswith(('"', "W/")) else {"If-Modified-Since": etag}


def _save(answer: http.client.HTTPResponse, target: Path, url: str, most: int) -> Downloaded:
    found, size = hashlib.sha256(), 0
    expected = answer.headers.get("Content-Length", "")
    with target.open("xb") as out:
        while block := answer.read(_BLOCK):
            size += len(block)
            if size > most:
                raise FetchError(
                    Reason.TOO_LARGE,
                    f"{redact_url(url)} has more than {most} bytes, the installation's limit on downloads.",
                )
            found.update(block)
            out.write(block)
    if expected.isdigit() and int(expected) != size:
        raise FetchError(
            Reason.REMOTE_UNREADABLE, f"{redact_url(url)}: the download ended after {size} of {expected} bytes."
        )
    return Downloaded(
        f"sha256:{found.hexdigest()}", answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    shown = redact_url(target)
    if not location or urlsplit(target).scheme not in {"http", "https"} or not urlsplit(target).hostname:
        raise FetchError(Reason.REDIRECT_REFUSED, f"{redact_url(url)} redirects to {shown!r}, which is no address.")
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise FetchError(Reason.REDIRECT_REFUSED, f"{redact_url(url)} redirects to {shown}, which is not encrypted.")
    try:
        check_host(urlsplit(target).hostname or "", shown)
    except FetchError as error:
        raise FetchError(Reason.REDIRECT_REFUSED, f"{redact_url(url)} redirects: {error.message}") from None
    return target


class _Stop(HTTPRedirectHandler):
    """Hands redirects to the caller instead of following them."""

    def redirect_request(self, *_: object) -> None:
        return None


class _GuardedHTTP(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _check_public(self.sock)


class _GuardedHTTPS(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _check_public(self.sock)


class _GuardedHTTPHandler(HTTPHandler):
    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_GuardedHTTP, req)


class _GuardedHTTPSHandler(HTTPSHandler):
    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_GuardedHTTPS, req, context=self._context)  # type: ignore[attr-defined]


def _check_public(connection: socket.socket) -> None:
    """Judge the address that was really connected to, whatever its name resolved to before; nothing was sent yet."""
    address = ipaddress.ip_address(connection.getpeername()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_global:
        connection.close()
        raise _Private(f"{mapped or address} is not a public address")


def _opener(ca_file: str | None, proxy: str, *, guarded: bool) -> OpenerDirector:
    way = ProxyHandler({"http": proxy, "https": proxy}) if proxy else ProxyHandler()
    context = ssl.create_default_context(cafile=ca_file)
    # Behind a proxy the connection is the proxy's, and so is the judgement.
    if guarded and not way.proxies:  # type: ignore[attr-defined]
        return build_opener(way, _Stop(), _GuardedHTTPHandler(), _GuardedHTTPSHandler(context=context))
    return build_opener(way, _Stop(), HTTPSHandler(context=context))


def _refused(status: int, url: str) -> FetchError:
    shown = redact_url(url)
    if status in {401, 403}:
        return FetchError(
            Reason.AUTHENTICATION_FAILED,
            f"{shown}: the server refuses access ({status}); check the Secret in spec.archive.secretRef (or add one).",
        )
    if status in {404, 410}:
        return FetchError(Reason.ARCHIVE_NOT_FOUND, f"{shown}: there is no such file; check spec.archive.url.")
    if status == 429 or status >= 500:
        return FetchError(Reason.SERVER_ERROR, f"{shown}: the server has trouble or asks to slow down ({status}).")
    return FetchError(Reason.REMOTE_UNREADABLE, f"{shown}: the server answers with status {status} instead of a file.")


def _unreachable(error: object, url: str) -> FetchError:
    shown = redact_url(url)
    if isinstance(error, _Private):
        return FetchError(
            Reason.REDIRECT_REFUSED, f"a redirect to {shown} was not followed: {error}; write the final address."
        )
    if isinstance(error, socket.gaierror):
        return FetchError(
            Reason.HOST_NOT_FOUND, f"{shown}: the host does not resolve; check spec.archive.url and the cluster's DNS."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchError(
            Reason.CERTIFICATE_INVALID,
            f"{shown}: the server's certificate is not trusted ({error.verify_message}); put its authority into the "
            "entry ca.crt of the Secret in spec.archive.secretRef.",
        )
    if isinstance(error, TimeoutError):
        return FetchError(Reason.TIMED_OUT, f"{shown}: the transfer stalled; check the network to the server.")
    if isinstance(error, http.client.HTTPException):
        return FetchError(Reason.REMOTE_UNREADABLE, f"{shown}: the server does not speak HTTP ({error!r:.100}).")
    return FetchError(Reason.CONNECTION_FAILED, f"{shown}: the server cannot be reached ({error}).")
