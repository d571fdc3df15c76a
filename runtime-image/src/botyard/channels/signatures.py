"""Signatures of webhooks, as the specification Standard Webhooks says: HMAC-SHA256 over id, time and body."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from botyard.channels.errors import NotGenuine

TOLERANCE_SECONDS = 300
"""How far the clocks of both sides may be apart, and how long a recorded request could be sent again."""
ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"


def sign(secret: str, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a request.

    Args:
        secret: Shared by both sides.
        identity: The message's own; the same on every attempt.
        timestamp: Seconds since 1970.
        body: As it is sent.
    """
    return {ID: identity, TIMESTAMP: str(timestamp), SIGNATURE: f"v1,{_digest(secret, identity, timestamp, body)}"}


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> str:
    """Return the id of a request that is signed with `secret`.

    Raises:
        NotGenuine: It is not, or was signed too long ago.
    """
    identity, signatures = headers.get(ID, ""), headers.get(SIGNATURE, "")
    timestamp = headers.get(TIMESTAMP, "")
    if not identity or not signatures or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        raise NotGenuine(f"The headers {ID}, {TIMESTAMP} (seconds since 1970) and {SIGNATURE} are needed.")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise NotGenuine(f"It was signed more than {TOLERANCE_SECONDS} s ago, or the clocks differ by more.")
    expected = f"v1,{_digest(secret, identity, int(timestamp), body)}".encode()
    # Several signatures while a secret is replaced: one that fits is enough.
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")[:10]):
        raise NotGenuine("The signature does not fit.")
    return identity


def _digest(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    signed = b".".join((identity.encode(), str(timestamp).encode(), body))
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
