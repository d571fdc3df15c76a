"""Authorization by the RBAC of the Kubernetes API server."""

import logging

import aiohttp
from kubernetes.aio.client import (
    ApiClient,
    AuthorizationV1Api,
    V1ResourceAttributes,
    V1SubjectAccessReview,
    V1SubjectAccessReviewSpec,
)
from kubernetes.aio.client.exceptions import ApiException

from botyard.contract import names
from botyard.gateway.cache import ExpiringCache
from botyard.gateway.identity import Principal, Verb
from botyard.gateway.problems import Problem

log = logging.getLogger(__name__)

MOST_DECISIONS = 50_000
ALLOWED_SECONDS = 15.0
"""A withdrawn permission may be honoured this long."""
DENIED_SECONDS = 5.0
REVIEW_TIMEOUT_SECONDS = 5.0


class SubjectAccessReviews:
    """Asks the API server whether RBAC allows the verb on `bots.botyard.dev`.

    Args:
        client: A client of `kubernetes.aio` that may create SubjectAccessReviews.
    """

    def __init__(self, client: ApiClient) -> None:
        self._api = AuthorizationV1Api(client)
        self._cache: ExpiringCache[tuple[object, ...], tuple[bool]] = ExpiringCache(MOST_DECISIONS)

    async def allowed(self, principal: Principal, verb: Verb, namespace: str, bot: str) -> bool:
        """Ask, with a short memory."""
        extra = tuple(sorted((name, tuple(values)) for name, values in principal.extra.items()))
        key = (principal.subject, principal.groups, principal.uid, extra, verb, namespace, bot)
        (allowed,) = await self._cache.get_or_load(key, lambda: self._review(principal, verb, namespace, bot))
        return allowed

    async def _review(self, principal: Principal, verb: Verb, namespace: str, bot: str) -> tuple[tuple[bool], float]:
        spec = V1SubjectAccessReviewSpec(
            user=principal.subject,
            groups=list(principal.groups),
            uid=principal.uid or None,
            extra={name: list(values) for name, values in principal.extra.items()} or None,
            resource_attributes=V1ResourceAttributes(
                group=names.GROUP,
                version=names.VERSION,
                resource="bots",
                namespace=namespace,
                name=bot or None,
                verb=verb,
            ),
        )
        try:
            review = await self._api.create_subject_access_review(
                V1SubjectAccessReview(spec=spec), _request_timeout=REVIEW_TIMEOUT_SECONDS
            )
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = f"{error.status} {error.reason}" if isinstance(error, ApiException) else error
            log.error("SubjectAccessReview failed: %s", reason)
            raise Problem("authentication-unavailable", retry_after=5) from None
        allowed = bool(review.status and review.status.allowed and not review.status.denied)
        return (allowed,), ALLOWED_SECONDS if allowed else DENIED_SECONDS
