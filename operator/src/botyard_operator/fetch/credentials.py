"""Credentials out of the data of a Secret."""

from collections.abc import Mapping

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Credentials

_KEYS = {
    "username": "username",
    "password": "password",
    "bearerToken": "bearer_token",
    "ca.crt": "ca_certificate",
}


_PEM = "-----BEGIN CERTIFICATE-----"


def credentials_from_secret(data: Mapping[str, bytes], *, secret: str) -> Credentials:
    """Return the credentials that a Secret holds.

    Args:
        data: the Secret's entries, decoded.
        secret: `namespace/name`, for messages.

    Raises:
        FetchError: SecretKeyMissing when an entry that is needed is not there or empty, CredentialsInvalid when one
            cannot be read.
    """
    values = {field: text for key, field in _KEYS.items() if (text := _text(data, key, secret))}
    if not values:
        raise _missing(secret, "username and password, or bearerToken, or ca.crt")
    for one, other in (("username", "password"), ("password", "username")):
        if one in values and other not in values:
            raise _missing(secret, f"{other} beside its {one}")
    if "bearer_token" in values and "username" in values:
        raise _invalid(secret, "give either username and password or bearerToken, not both")
    if ":" in values.get("username", ""):
        raise _invalid(secret, "its entry username holds a colon")
    if _PEM not in values.get("ca_certificate", _PEM):
        raise _invalid(secret, f"its entry ca.crt is no PEM certificate; it must hold a line {_PEM}")
    return Credentials(**values)


def _text(data: Mapping[str, bytes], key: str, secret: str) -> str:
    try:
        value = data.get(key, b"").decode().strip("\r\n")
    except UnicodeDecodeError:
        # Without its cause: that would carry the entry's bytes.
        raise _invalid(secret, f"its entry {key} is not UTF-8 text") from None
    if key != "ca.crt" and any(ord(char) < 32 for char in value):
        raise _invalid(secret, f"its entry {key} holds control characters")
    return value


def _missing(secret: str, what: str) -> FetchError:
    return FetchError(
        Reason.SECRET_KEY_MISSING, f"Secret {secret} of spec.git.secretRef lacks {what}; add it to the Secret."
    )


def _invalid(secret: str, what: str) -> FetchError:
    return FetchError(Reason.CREDENTIALS_INVALID, f"Secret {secret} cannot be used for git: {what}.")
