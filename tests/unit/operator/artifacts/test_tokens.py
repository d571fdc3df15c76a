"""Tokens open one artifact each."""

import hashlib
import hmac

import pytest

from botyard_operator.artifacts import token_for, token_matches

KEY = b"k" * 32
DIGEST = f"sha256:{'a' * 64}"


def test_a_token_is_the_documented_hmac() -> None:
    assert token_for(KEY, DIGEST) == hmac.new(KEY, f"artifact:{DIGEST}".encode(), hashlib.sha256).hexdigest()


def test_a_token_opens_its_own_artifact_only() -> None:
    token = token_for(KEY, DIGEST)
    assert token_matches(KEY, DIGEST, token)
    assert not token_matches(KEY, f"sha256:{'b' * 64}", token)
    assert not token_matches(b"other" * 8, DIGEST, token)
    assert not token_matches(KEY, DIGEST, "")
    assert not token_matches(KEY, DIGEST, "é")


def test_an_empty_key_makes_no_tokens() -> None:
    with pytest.raises(ValueError, match="key is empty"):
        token_for(b"", DIGEST)
