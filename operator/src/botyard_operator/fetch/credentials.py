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


def credentials_from_secret(data: Mapping[str, bytes], *, secret: str) -> Credentials:
    """Return the credentials that a Secret holds.

    Args:
        data: the Secret's entries, decoded.
        secret: `namespace/name`, for messages.

    Raises:
        FetchError: CredentialsInvalid, when no entry can be used or one cannot be read.
    """
    values: dict[str, str] = {}
    for key, field in _KEYS.items():
        if key not in data:
            continue
        try:
            value = data[key].decode()
        except UnicodeDecodeError as error:
            raise _invalid(secret, f"its entry {key} is not UTF-8 text") from error
        value = value.strip("\r\n")
        if field != "ca_certificate" and any(ord(char) < 32 for char in value):
            raise _invalid(secret, f"its entry {key} holds control characters")
        values[field] = value
    if not values:
        raise _invalid(secret, "it has none of the entries username, password, bearerToken, ca.crt")
    if bool(values.get("username")) != bool(values.get("password")):
        raise _invalid(secret, "username and password only work together")
    if values.get("bearer_token") and values.get("username"):
        raise _invalid(secret, "give either username and password or bearerToken, not both")
    if ":" in values.get("username", ""):
        raise _invalid(secret, "its entry username holds a colon")
    return Credentials(**values)


def _invalid(secret: str, what: str) -> FetchError:
    return FetchError(Reason.CREDENTIALS_INVALID, f"Secret {secret} cannot be used for git: {what}.")
