"""Tokens that open exactly one artifact, derived instead of stored."""

import hashlib
import hmac


def token_for(key: bytes, digest: str) -> str:
    """Return the token for one artifact: hex HMAC-SHA256 of `artifact:` and the digest.

    Args:
        key: the installation's secret key; whoever holds it can make every token.
        digest: the artifact's digest as status shows it, `sha256:<hex>`.

    Raises:
        ValueError: the key is empty.
    """
    if not key:
        raise ValueError("the artifact key is empty; give the operator a key file of at least 32 random bytes")
    return hmac.new(key, f"artifact:{digest}".encode(), hashlib.sha256).hexdigest()


def token_matches(key: bytes, digest: str, token: str) -> bool:
    """Return whether `token` opens the artifact, in time that does not depend on where they differ."""
    return hmac.compare_digest(token_for(key, digest).encode(), token.encode())
