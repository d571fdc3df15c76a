"""Authentication by the Kubernetes API server."""

import base64
import binascii
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence

import aiohttp
from kubernetes.aio.client import ApiClient, AuthenticationV1Api, V1TokenReview, V1TokenReviewSpec
from kubernetes.aio.client.exceptions import ApiException

from botyard.gateway.cache import ExpiringCache
from botyard.gateway.identity import Principal
from botyard.gateway.problems import Problem

log = logging.getLogger(__name__)

MOST_TOKENS = 10_000
POSITIVE_SECONDS = 30.0
"""A revoked token may be honoured this long."""
NEGATIVE_SECONDS = 5.0
LONGEST_TOKEN = 16_384
REVIEW_TIMEOUT_SECONDS = 5.0


class TokenReviews:
    """Tokens that the Kubernetes API server knows: service accounts and whatever it is configured for (OIDC).

    Args:
        client: A client of `kubernetes.aio` that may create TokenReviews.
        audiences: Audiences of which the token must have one; empty: the API server's own.
    """

    def __init__(
        self, client: ApiClient, *, audiences: Sequence[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self._api = AuthenticationV1Api(client)
        self._audiences = list(audiences)
        self._clock = clock
        self._cache: ExpiringCache[str, tuple[Principal | None]] = ExpiringCache(MOST_TOKENS)

    async def authenticate(self, token: str | None) -> Principal | None:
        """Return whom the API server says the token belongs to."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        key = hashlib.sha256(token.encode()).hexdigest()
        (principal,) = await self._cache.get_or_load(key, lambda: self._review(token))
        return principal

    async def _review(self, token: str) -> tuple[tuple[Principal | None], float]:
        spec = V1TokenReviewSpec(token=token, audiences=self._audiences or None)
        try:
            review = await self._api.create_token_review(
                V1TokenReview(spec=spec), _request_timeout=REVIEW_TIMEOUT_SECONDS
            )
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.error("TokenReview failed: %s", _reason(error))
            raise Problem("authentication-unavailable", retry_after=5) from None
        status = review.status
        if status is None or not status.authenticated or status.user is None:
            return (None,), NEGATIVE_SECONDS
        if self._audiences and not set(self._audiences) & set(status.audiences or ()):
            # An API server that knows nothing of audiences answers without them: not good enough.
            return (None,), NEGATIVE_SECONDS
        user = status.user
        principal = Principal(
            subject=user.username or "",
            groups=tuple(user.groups or ()),
            uid=user.uid or "",
            extra={name: tuple(values) for name, values in (user.extra or {}).items()},
        )
        left = expiry(token)
        seconds = POSITIVE_SECONDS if left is None else min(POSITIVE_SECONDS, left - self._clock())
        return (principal,), seconds


def expiry(token: str) -> float | None:
    """Return when a JWT says that it expires, in seconds since 1970; unverified, only to bound caching."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def _reason(error: BaseException) -> str:
    if isinstance(error, ApiException):
        return f"{error.status} {error.reason}"
    return str(error) or type(error).__name__
