"""Signed webhooks: what is genuine and what is not."""

import base64
import hashlib
import hmac

import pytest

from botyard.channels import signatures
from botyard.channels.errors import NotGenuine

SECRET = "a secret of both sides"
NOW = 1_700_000_000


def signed(body=b"{}", at=NOW, secret=SECRET):
    return signatures.sign(secret, "msg-1", at, body)


def test_the_published_example_of_the_specification_is_signed_as_it_says():
    """Standard Webhooks, v1: base64 of HMAC-SHA256 over `id.timestamp.body`."""
    expected = base64.b64encode(hmac.new(SECRET.encode(), b"msg-1.1700000000.{}", hashlib.sha256).digest()).decode()
    assert signed() == {
        "webhook-id": "msg-1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{expected}",
    }


def test_a_signed_request_is_genuine_and_names_its_message():
    assert signatures.verify(SECRET, signed(), b"{}", now=NOW + 200) == "msg-1"


def test_one_of_several_signatures_is_enough():
    headers = signed()
    headers["webhook-signature"] = f"v1,old {headers['webhook-signature']}"
    assert signatures.verify(SECRET, headers, b"{}", now=NOW) == "msg-1"


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        (signed(), b"{ }", NOW),
        (signed(secret="another secret of them"), b"{}", NOW),
        (signed(), b"{}", NOW + 301),
        (signed(), b"{}", NOW - 301),
        (signed() | {"webhook-id": "msg-2"}, b"{}", NOW),
        (signed() | {"webhook-timestamp": "soon"}, b"{}", NOW),
        (signed() | {"webhook-timestamp": "9" * 40}, b"{}", NOW),
        (signed() | {"webhook-signature": ""}, b"{}", NOW),
        ({}, b"{}", NOW),
    ],
)
def test_anything_else_is_not(headers, body, now):
    with pytest.raises(NotGenuine):
        signatures.verify(SECRET, headers, body, now=now)
