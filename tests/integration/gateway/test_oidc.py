"""Tokens of an OIDC issuer: who is let in, who is not, and what keys are asked for."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from botyard.gateway.oidc import ClaimNames, OidcTokens
from botyard.gateway.problems import Problem
from botyard.gateway.signing_keys import KEEP_SECONDS, LONGEST_KEEP_SECONDS, UNKNOWN_SECONDS, SigningKeys
from tests.integration.gateway.issuer import AUDIENCE, Issuer, running_issuer


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(issuer: Issuer, clock: Clock) -> AsyncIterator[SigningKeys]:
    made = SigningKeys(issuer.url, clock=clock)
    yield made
    await made.close()


@pytest.fixture
def tokens(issuer: Issuer, keys: SigningKeys) -> OidcTokens:
    return OidcTokens(keys, issuer=issuer.url, audiences=[AUDIENCE])


async def test_a_valid_token_names_user_and_groups_with_prefixes(issuer: Issuer, tokens: OidcTokens) -> None:
    principal = await tokens.authenticate(issuer.token(groups=["ops", "chat"]))
    assert principal is not None
    assert principal.subject == "oidc:ann"
    assert principal.groups == ("system:authenticated", "oidc:ops", "oidc:chat")
    assert principal.permissions is None  # RBAC decides
    assert await tokens.authenticate(issuer.token(aud=["other", AUDIENCE])) is not None


async def test_keys_are_fetched_once_for_many_tokens(issuer: Issuer, tokens: OidcTokens) -> None:
    for _ in range(5):
        assert await tokens.authenticate(issuer.token()) is not None
    assert issuer.requests == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": int(time.time()) - 60}, id="expired"),
        {"exp": None},
        {"exp": "soon"},
        pytest.param({"nbf": int(time.time()) + 3600}, id="not yet valid"),
        {"aud": "another-application"},
        {"aud": None},
        {"aud": []},
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "a" * 300},
    ],
    ids=lambda changes: str(changes)[:40],
)
async def test_a_token_with_a_wrong_claim_is_nobody(
    issuer: Issuer, tokens: OidcTokens, changes: dict[str, Any]
) -> None:
    assert await tokens.authenticate(issuer.token(**changes)) is None


async def test_clocks_may_differ_a_little(issuer: Issuer, tokens: OidcTokens) -> None:
    now = int(time.time())
    assert await tokens.authenticate(issuer.token(exp=now - 15)) is not None
    assert await tokens.authenticate(issuer.token(nbf=now + 15, iat=now + 15)) is not None


async def test_forged_tokens_are_nobody(issuer: Issuer, tokens: OidcTokens) -> None:
    issuer.add_key("evil", publish=False)
    header, claims, signature = issuer.token().split(".")
    admin = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed = _base64({**admin, "sub": "boss"})
    for forged in (
        issuer.token("evil", named="k1"),
        issuer.token("evil", named=None),
        f"{header}.{changed}.{signature}",
        f"{header}.{claims}.{'A' * len(signature)}",
        f"{header}.{claims}.",
        f"{header}.{claims}",
        "...",
        "a.b.c",
        "x" * 20_000,
        "",
    ):
        assert await tokens.authenticate(forged) is None
    assert await tokens.authenticate(None) is None


async def test_the_token_never_chooses_a_weaker_algorithm(issuer: Issuer, tokens: OidcTokens) -> None:
    claims = issuer.token().split(".")[1]

    def signed(algorithm: str, secret: bytes) -> str:
        text = _base64({"alg": algorithm, "kid": "k1"}) + "." + claims
        digest = hmac.digest(secret, text.encode(), "sha256") if secret else b""
        return text + "." + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    public = issuer.private["k1"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for forged in (
        signed("none", b""),
        signed("None", b""),
        # The public key as the secret of an HMAC: what a verifier does that takes the algorithm from the token.
        signed("HS256", pem),
        # Public keys, but not allowed here.
        issuer.token(algorithm="RS512"),
    ):
        assert await tokens.authenticate(forged) is None
    assert issuer.requests == [], "nothing is fetched for what is refused anyway"


async def test_elliptic_curves_are_allowed_by_default_and_others_on_demand(
    issuer: Issuer, tokens: OidcTokens, keys: SigningKeys
) -> None:
    issuer.add_key("e1", kind="EC")
    assert await tokens.authenticate(issuer.token("e1", algorithm="ES256")) is not None
    more = OidcTokens(keys, issuer=issuer.url, audiences=[AUDIENCE], algorithms=["RS512"])
    assert await more.authenticate(issuer.token(algorithm="RS512")) is not None
    assert await more.authenticate(issuer.token()) is None


@pytest.mark.parametrize(
    "fields", [{"alg": "RS512"}, {"use": "enc"}, {"kty": "oct", "k": "AAAA"}, {"n": "AQAB"}], ids=str
)
async def test_a_key_that_is_not_for_this_is_not_used(
    issuer: Issuer, tokens: OidcTokens, fields: dict[str, str]
) -> None:
    issuer.published[0].update(fields)
    assert await tokens.authenticate(issuer.token()) is None


async def test_short_rsa_keys_are_not_used(issuer: Issuer, tokens: OidcTokens) -> None:
    issuer.add_key("short", bits=1024)
    assert await tokens.authenticate(issuer.token("short")) is None


async def test_a_token_without_a_key_id_is_tried_with_all_keys(issuer: Issuer, tokens: OidcTokens) -> None:
    issuer.add_key("k2")
    assert await tokens.authenticate(issuer.token("k2", named=None)) is not None


async def test_a_rotated_key_is_found_at_its_first_use_and_the_old_one_goes(
    issuer: Issuer, tokens: OidcTokens, clock: Clock
) -> None:
    old = issuer.token()
    assert await tokens.authenticate(old) is not None
    issuer.published.clear()
    issuer.add_key("k2")
    clock.now += UNKNOWN_SECONDS
    assert await tokens.authenticate(issuer.token("k2")) is not None
    assert await tokens.authenticate(old) is None


async def test_a_withdrawn_key_is_forgotten_after_a_while(issuer: Issuer, tokens: OidcTokens, clock: Clock) -> None:
    assert await tokens.authenticate(issuer.token()) is not None
    issuer.published.clear()
    assert await tokens.authenticate(issuer.token()) is not None
    clock.now += KEEP_SECONDS + 1
    assert await tokens.authenticate(issuer.token()) is None


async def test_unknown_keys_make_us_ask_only_now_and_then(issuer: Issuer, tokens: OidcTokens, clock: Clock) -> None:
    issuer.add_key("evil", publish=False)
    for number in range(50):
        assert await tokens.authenticate(issuer.token("evil", named=f"e{number}")) is None
    assert issuer.requests.count("/keys") == 1
    clock.now += UNKNOWN_SECONDS
    await tokens.authenticate(issuer.token("evil", named="again"))
    assert issuer.requests.count("/keys") == 2


async def test_an_issuer_that_is_away_is_told_and_its_last_keys_serve_for_a_day(
    issuer: Issuer, tokens: OidcTokens, clock: Clock
) -> None:
    issuer.status = 500
    with pytest.raises(Problem) as caught:
        await tokens.authenticate(issuer.token())
    assert caught.value.type.name == "authentication-unavailable"
    issuer.status = 200
    assert await tokens.authenticate(issuer.token()) is not None
    issuer.status = 500
    clock.now += KEEP_SECONDS + 1
    assert await tokens.authenticate(issuer.token()) is not None
    clock.now += LONGEST_KEEP_SECONDS
    with pytest.raises(Problem):
        await tokens.authenticate(issuer.token())


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://other.example.com"},
        {"jwks_uri": "http://keys.example.com/"},
        {"jwks_uri": None},
        {"x": "y" * 2_000_000},
    ],
    ids=["other issuer", "keys without TLS", "no keys", "too large"],
)
async def test_a_discovery_document_that_cannot_be_trusted_lets_nobody_in(
    issuer: Issuer, tokens: OidcTokens, discovery: dict[str, object]
) -> None:
    issuer.discovery = discovery
    with pytest.raises(Problem):
        await tokens.authenticate(issuer.token())


async def test_no_prefix_makes_a_user_of_kubernetes_itself(issuer: Issuer, keys: SigningKeys) -> None:
    names = ClaimNames(user="name", user_prefix="", groups="roles", groups_prefix="")
    plain = OidcTokens(keys, issuer=issuer.url, audiences=[AUDIENCE], claims=names)
    principal = await plain.authenticate(issuer.token(name="ann", roles=["system:masters", "ops"]))
    assert principal is not None
    assert (principal.subject, principal.groups) == ("ann", ("system:authenticated", "ops"))
    assert await plain.authenticate(issuer.token(name="system:admin")) is None


async def test_an_unverified_address_is_nobody(issuer: Issuer, keys: SigningKeys) -> None:
    mail = OidcTokens(keys, issuer=issuer.url, audiences=[AUDIENCE], claims=ClaimNames(user="email"))
    assert await mail.authenticate(issuer.token(email="a@example.com", email_verified=False)) is None
    assert await mail.authenticate(issuer.token(email="a@example.com", email_verified=True)) is not None


@pytest.mark.parametrize("url", ["http://issuer.example.com", "ftp://x", "issuer.example.com", "https://"])
def test_an_issuer_must_be_reached_by_tls(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        SigningKeys(url)


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["RS256", "HS512"], []])
def test_shared_secrets_cannot_be_allowed(keys: SigningKeys, algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        OidcTokens(keys, issuer="x", audiences=["a"], algorithms=algorithms)


def _base64(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
