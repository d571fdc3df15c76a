"""Requests to the other side: bounded, without redirects, errors told apart by whether trying again can help."""

from typing import Any

import httpx

from botyard.channels.errors import DeliveryFailed

MAX_ANSWER_BYTES = 1_048_576
_MAY_PASS = frozenset({408, 409, 425, 429})


def client(timeout_seconds: float) -> httpx.AsyncClient:
    """Return a client for one channel."""
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=4)
    return httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False, limits=limits)


async def send(http: httpx.AsyncClient, method: str, url: str, *, what: str, **request: Any) -> httpx.Response:
    """Make a request and return its answer if that is a success.

    Args:
        http: See `client`.
        method: Of HTTP.
        url: May hold a secret; it is in no message.
        what: Names the request in messages.
        **request: As for `httpx.AsyncClient.request`.

    Raises:
        DeliveryFailed: It was refused, or nobody answered.
    """
    try:
        answer = await http.request(method, url, **request)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise DeliveryFailed(f"{what}: the address cannot be called", permanent=True) from None
    except httpx.HTTPError as error:
        raise DeliveryFailed(f"{what}: {type(error).__name__}") from None
    if answer.is_success:
        return answer
    permanent = answer.status_code < 500 and answer.status_code not in _MAY_PASS
    raise DeliveryFailed(
        f"{what}: answered {answer.status_code} {_said(answer)}".rstrip(),
        permanent=permanent,
        retry_after=_retry_after(answer),
    )


def _said(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return ""
    return str(content.get("description") or content.get("detail") or "")[:200] if isinstance(content, dict) else ""


def _retry_after(answer: httpx.Response) -> float:
    """Return the seconds of Retry-After, or of Telegram's `parameters.retry_after`; 0 without."""
    value: Any = answer.headers.get("retry-after", "")
    if not value:
        try:
            value = answer.json()["parameters"]["retry_after"]
        except (ValueError, KeyError, TypeError):
            return 0.0
    try:
        return min(max(float(value), 0.0), 3600.0)
    except (TypeError, ValueError):
        return 0.0
