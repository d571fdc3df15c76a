"""Git URLs: reading, allowing, normalising and redacting them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit, urlunsplit

from botyard_operator.fetch.errors import FetchError, Reason

_SCP_LIKE = re.compile(
    r"^(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(?!//)(?P<path>[^:].*)$"
)
_REMOTE_HELPER = re.compile(r"^(?P<helper>[A-Za-z0-9][A-Za-z0-9+.-]*)::")
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/@\s]*@")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0]")
_METADATA_V6 = ip_address("fd00:ec2::254")


@dataclass(frozen=True, kw_only=True)
class GitUrl:
    """A git URL in its parts."""

    protocol: str
    host: str
    """Lower case, with the port where the URL gives one: what backoff is counted by."""
    clean: str
    """The URL as git gets it: without user and password for http and https."""
    username: str = ""


def parse_git_url(url: str, *, protocols: Collection[str]) -> GitUrl:
    """Read a git URL and hold it against the list of allowed transports.

    Args:
        url: `https://host/path`, `http://…`, `ssh://…` or `user@host:path`.
        protocols: transports that the installation allows.

    Raises:
        FetchError: UrlInvalid or ProtocolNotAllowed.
    """
    shown = redact_url(url)
    if not url or url.startswith("-") or _UNPRINTABLE.search(url):
        raise FetchError(
            Reason.URL_INVALID,
            f"spec.git.url {shown!r} is no git URL; write for instance https://git.example.com/team/bots.git.",
        )
    if helper := _REMOTE_HELPER.match(url):
        raise _not_allowed(helper["helper"], shown, protocols)
    if "://" not in url:
        return _parse_scp_like(url, protocols)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchError(Reason.URL_INVALID, f"spec.git.url {shown!r} is no URL: {error}.") from error
    protocol = parts.scheme.lower()
    if protocol not in protocols:
        raise _not_allowed(protocol, shown, protocols)
    if (protocol != "file" and not parts.hostname) or parts.query or parts.fragment:
        raise FetchError(
            Reason.URL_INVALID,
            f"spec.git.url {shown!r} needs a host and takes no query or fragment; choose a revision by spec.git.ref.",
        )
    if parts.password:
        raise FetchError(
            Reason.URL_INVALID,
            f"spec.git.url {shown!r} carries a password; put it into a Secret with the entries username and "
            "password and name that in spec.git.secretRef.",
        )
    name = parts.hostname or ""
    check_host(name, shown)
    if (parts.username or "").startswith("-") or name.startswith("-"):
        raise FetchError(Reason.URL_INVALID, f"spec.git.url {shown!r} has a user or host that begins with '-'.")
    hostname = f"[{name}]" if ":" in name else name
    host = hostname if port is None else f"{hostname}:{port}"
    netloc = f"{parts.username}@{host}" if protocol == "ssh" and parts.username else host
    clean = urlunsplit((protocol, netloc, parts.path, "", ""))
    return GitUrl(protocol=protocol, host=host, clean=clean, username=parts.username or "")


def _parse_scp_like(url: str, protocols: Collection[str]) -> GitUrl:
    match = _SCP_LIKE.match(url)
    if match is None:
        raise _not_allowed("file", url, protocols)
    if "ssh" not in protocols:
        raise _not_allowed("ssh", url, protocols)
    if match["host"].startswith("-"):
        raise FetchError(Reason.URL_INVALID, f"spec.git.url {url!r} has a user or host that begins with '-'.")
    check_host(match["host"].strip("[]"), url)
    return GitUrl(protocol="ssh", host=match["host"].lower(), clean=url, username=match["user"] or "")


def parse_archive_url(url: str) -> GitUrl:
    """Read the URL of an archive.

    Args:
        url: `https://…` or `http://…`; a query is fine, as signed addresses have one.

    Raises:
        FetchError: UrlInvalid.
    """
    shown = redact_url(url)
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and not _UNPRINTABLE.search(url)
        host = parts.netloc.lower() if parts.port or parts.hostname else ""
    except ValueError:
        good, host = False, ""
    if not good or "@" in parts.netloc or parts.fragment:
        raise FetchError(
            Reason.URL_INVALID,
            f"spec.archive.url {shown!r} is no address of a file; write an http:// or https:// URL without user, "
            "password and fragment.",
        )
    check_host(parts.hostname or "", shown)
    return GitUrl(protocol=parts.scheme, host=host, clean=url)


def source_url(kind: str, url: str, *, protocols: Collection[str]) -> GitUrl:
    """Return where a source of any kind comes from; inline files come from nowhere.

    Args:
        kind: of the ref, `Ref.kind`.
        url: of the repository or archive.
        protocols: transports that the installation allows for repositories.

    Raises:
        FetchError: UrlInvalid or ProtocolNotAllowed.
    """
    if kind == "inline":
        return GitUrl(protocol="inline", host="", clean="")
    return parse_archive_url(url) if kind == "archive" else parse_git_url(url, protocols=protocols)


def check_host(host: str, shown: str) -> None:
    """Refuse link-local addresses: what the cloud tells its machines, credentials among it, is served there.

    Raises:
        FetchError: UrlInvalid.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return
    if address.is_link_local or address == _METADATA_V6:
        raise FetchError(
            Reason.URL_INVALID, f"the URL {shown!r} is an address of the machine's own services, where no source lives."
        )


def _not_allowed(protocol: str, shown: str, protocols: Collection[str]) -> FetchError:
    return FetchError(
        Reason.PROTOCOL_NOT_ALLOWED,
        f"spec.git.url {shown!r} uses the transport {protocol!r}; this installation allows "
        f"{', '.join(sorted(protocols)) or 'none'}.",
    )


def redact_url(text: str) -> str:
    """Return `text` with the user and password of every URL in it replaced."""
    return _USERINFO.sub(r"\g<scheme>***@", text)


def redact(text: str, secrets: Collection[str]) -> str:
    """Return `text` without URL userinfo and without any of `secrets`, plain or URL-quoted."""
    text = redact_url(text)
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        for form in {secret, quote(secret, safe="")}:
            text = text.replace(form, "***")
    return text
