"""Credentials out of the data of a Secret."""

import re
from collections.abc import Mapping

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Credentials

_HTTP = {
    "username": "username",
    "password": "password",
    "bearerToken": "bearer_token",
    "ca.crt": "ca_certificate",
    "proxy": "proxy",
}
_SSH = {"identity": "identity", "known_hosts": "known_hosts", "password": "passphrase"}
_LINES = frozenset({"ca.crt", "identity", "known_hosts"})
"""Entries of several lines."""

_PEM = "-----BEGIN CERTIFICATE-----"
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n")
_HOST_LINE = re.compile(r"\S+[ \t]+\S+[ \t]+\S+")
_PROXY = re.compile(r"https?://[^\s/@]*(:[^\s/@]*)?(@[^\s/@]+)?/?")


def credentials_from_secret(
    data: Mapping[str, bytes], *, secret: str, field: str = "spec.git.secretRef", ssh: bool = False
) -> Credentials:
    """Return the credentials that a Secret holds.

    A Secret may serve Bundles of both kinds: what the other transport needs is not looked at.

    Args:
        data: the Secret's entries, decoded.
        secret: `namespace/name`, for messages.
        field: where the Bundle names it, for messages.
        ssh: the source is reached through SSH, not HTTP.

    Raises:
        FetchError: SecretKeyMissing when an entry that is needed is not there or empty, CredentialsInvalid when one
            cannot be read.
    """
    keys = _SSH if ssh else _HTTP
    values = {name: text for key, name in keys.items() if (text := _text(data, key, secret))}
    return _ssh(values, secret, field) if ssh else _http(values, secret, field)


def _http(values: Mapping[str, str], secret: str, field: str) -> Credentials:
    if not values:
        raise _missing(secret, field, "username and password, or bearerToken, or ca.crt, or proxy")
    for one, other in (("username", "password"), ("password", "username")):
        if one in values and other not in values:
            raise _missing(secret, field, f"{other} beside its {one}")
    if "bearer_token" in values and "username" in values:
        raise _invalid(secret, "give either username and password or bearerToken, not both")
    if ":" in values.get("username", ""):
        raise _invalid(secret, "its entry username holds a colon")
    if _PEM not in values.get("ca_certificate", _PEM):
        raise _invalid(secret, f"its entry ca.crt is no PEM certificate; it must hold a line {_PEM}")
    if "proxy" in values and not _PROXY.fullmatch(values["proxy"]):
        raise _invalid(secret, "its entry proxy is no URL such as http://proxy.example.com:3128")
    return Credentials(**values)


def _ssh(values: Mapping[str, str], secret: str, field: str) -> Credentials:
    if "identity" not in values:
        raise _missing(secret, field, "identity (the private key) for a source over SSH")
    if "known_hosts" not in values:
        raise _missing(secret, field, "known_hosts (what `ssh-keyscan` prints of the server, compared with its owner)")
    identity = values["identity"].replace("\r\n", "\n") + "\n"
    if not _PRIVATE_KEY.match(identity):
        raise _invalid(secret, "its entry identity is no private key as ssh-keygen writes one")
    hosts = values["known_hosts"].replace("\r\n", "\n") + "\n"
    lines = [line for line in hosts.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not all(_HOST_LINE.match(line) for line in lines):
        raise _invalid(secret, "its entry known_hosts has a line that is no host with a key, as ssh-keyscan prints it")
    return Credentials(identity=identity, known_hosts=hosts, passphrase=values.get("passphrase", ""))


def _text(data: Mapping[str, bytes], key: str, secret: str) -> str:
    try:
        value = data.get(key, b"").decode().strip("\r\n")
    except UnicodeDecodeError:
        # Without its cause: that would carry the entry's bytes.
        raise _invalid(secret, f"its entry {key} is not UTF-8 text") from None
    allowed = "\r\n\t" if key in _LINES else ""
    if any(ord(char) < 32 and char not in allowed for char in value):
        raise _invalid(secret, f"its entry {key} holds control characters")
    return value


def _missing(secret: str, field: str, what: str) -> FetchError:
    return FetchError(Reason.SECRET_KEY_MISSING, f"Secret {secret} of {field} lacks {what}; add it to the Secret.")


def _invalid(secret: str, what: str) -> FetchError:
    return FetchError(Reason.CREDENTIALS_INVALID, f"Secret {secret} cannot be used for the source: {what}.")
