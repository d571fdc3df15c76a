"""Tokens that open exactly one artifact, or are good for exactly one build; derived instead of stored."""

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
    return _derive(key, f"artifact:{digest}")


def build_token(key: bytes, build: str) -> str:
    """Return the token by which the courier of one build delivers its results."""
    return _derive(key, f"build:{build}")


def index_token(key: bytes, build: str) -> str:
    """Return the token by which one build reads its package index through the operator, and nothing else."""
    return _derive(key, f"index:{build}")


def link_token(key: bytes, build: str, url: str) -> str:
    """Return the mark of a file that the package index of one build links to."""
    return _derive(key, f"link:{build}:{url}")[:32]


def token_matches(key: bytes, digest: str, token: str) -> bool:
    """Return whether `token` opens the artifact, in time that does not depend on where they differ."""
    return equal(token_for(key, digest), token)


def equal(expected: str, given: str) -> bool:
    """Compare two tokens in time that does not depend on where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode())


def _derive(key: bytes, subject: str) -> str:
    if not key:
        raise ValueError("the artifact key is empty; give the operator a key file of at least 32 random bytes")
    return hmac.new(key, subject.encode(), hashlib.sha256).hexdigest()
