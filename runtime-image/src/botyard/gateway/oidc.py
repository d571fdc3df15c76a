"""Authentication by JSON Web Tokens of an OIDC issuer, verified here (RFC 7519, RFC 8725)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from botyard.gateway.identity import Principal
from botyard.gateway.signing_keys import SigningKeys

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What may be allowed at all: signatures by public keys. `none` and shared secrets (HS…) never are."""
DEFAULT_ALGORITHMS = ("RS256", "ES256")
SKEW_SECONDS = 30.0
"""By how much the issuer's clock may differ from ours."""
LONGEST_TOKEN = 16_384
MOST_GROUPS = 500
_RESERVED = "system:"
"""Names that belong to Kubernetes itself: no issuer may hand them out, whatever the prefix."""


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """How claims become the user and the groups that RBAC knows."""

    user: str = "sub"
    user_prefix: str = "oidc:"
    groups: str = "groups"
    groups_prefix: str = "oidc:"


class OidcTokens:
    """Tokens of one issuer.

    Args:
        keys: The issuer's keys.
        issuer: What `iss` must be.
        audiences: Of which `aud` must name one.
        algorithms: What signatures may be made by.
        claims: How claims become names.

    Raises:
        ValueError: No audience is given, or an algorithm that is not for public keys.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        issuer: str,
        audiences: Sequence[str],
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        claims: ClaimNames | None = None,
    ) -> None:
        if not audiences:
            raise ValueError("OIDC needs an audience: without one, tokens for other applications would be let in")
        if not algorithms or not set(algorithms) <= set(ALGORITHMS):
            raise ValueError(f"algorithms must be among {', '.join(ALGORITHMS)}, not {', '.join(algorithms) or 'none'}")
        self._keys = keys
        self._issuer = issuer
        self._audiences = list(audiences)
        self._algorithms = tuple(algorithms)
        self._claims = claims or ClaimNames()

    async def authenticate(self, token: str | None) -> Principal | None:
        """Return whom the issuer says the token belongs to; None for tokens of others and for invalid ones.

        Raises:
            Problem: `authentication-unavailable` when the issuer's keys are needed and cannot be fetched.
        """
        if not token or len(token) > LONGEST_TOKEN or token.count(".") != 2:
            return None
        named = self._named(token)
        if named is None:
            return None
        algorithm, kid = named
        refusal = "it is signed by a key that the issuer does not have"
        for key in await self._keys.find(kid, algorithm):
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=self._audiences,
                    issuer=self._issuer,
                    leeway=SKEW_SECONDS,
                    options={"require": ["exp", "iss", "aud"]},
                )
            except (PyJWTError, ValueError, TypeError) as error:
                # ValueError and TypeError: claims of impossible types.
                refusal = f"{type(error).__name__}: {error}"
                continue
            return principal_of(claims, self._claims)
        log.info("a token of %s is refused: %s", self._issuer, refusal)
        return None

    def _named(self, token: str) -> tuple[str, str | None] | None:
        """Return algorithm and key id of a token of our issuer; None for others, for which nothing is fetched."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except (PyJWTError, ValueError, TypeError):
            return None
        algorithm, kid = header.get("alg"), header.get("kid")
        if claims.get("iss") != self._issuer or algorithm not in self._algorithms:
            return None
        return algorithm, kid if isinstance(kid, str) else None


def principal_of(claims: Mapping[str, Any], names: ClaimNames) -> Principal | None:
    """Return who the claims of a verified token speak of; None where they name nobody, or one of Kubernetes' own."""
    user = claims.get(names.user)
    if not isinstance(user, str) or not user or len(user) > 256 or not user.isprintable():
        return None
    if names.user == "email" and claims.get("email_verified") is False:
        return None
    subject = names.user_prefix + user
    if subject.startswith(_RESERVED):
        return None
    found = claims.get(names.groups, ())
    found = [found] if isinstance(found, str) else found
    groups = [names.groups_prefix + group for group in found if isinstance(group, str)] if _is_list(found) else []
    return Principal(
        subject=subject,
        groups=("system:authenticated", *(group for group in groups[:MOST_GROUPS] if not group.startswith(_RESERVED))),
    )


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)
