"""Downloads an artifact and holds it against its digest before anybody reads it."""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

_BLOCK = 1 << 18
_FINAL_STATUSES = frozenset({400, 401, 403, 405, 410})


class BundleFetchError(Exception):
    """The bundle is not there; the message says what to do."""


class _Transient(Exception):
    """An attempt failed in a way that may pass."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long to keep trying."""

    attempts: int = 8
    first_pause: float = 0.5
    """Seconds; doubles each time, and a random part of it is waited."""
    longest_pause: float = 10.0
    deadline: float = 180.0
    """Seconds for all attempts together."""
    request_timeout: float = 15.0
    """Seconds without any progress of a request."""

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after the attempt with this number (from 1)."""
        longest = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, not secrecy


def download(
    url: str,
    token: str,
    digest: str,
    target: Path,
    *,
    max_bytes: int,
    policy: RetryPolicy,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Download an artifact to `target`, whole and verified, or raise.

    Args:
        url: where the artifact is served.
        token: the token that belongs to the digest.
        digest: `sha256:<hex>` that the content must have.
        target: file to write; replaced by each attempt.
        max_bytes: limit on the download, in bytes.
        policy: retries.
        sleep: waits between attempts.

    Returns:
        The size in bytes.

    Raises:
        BundleFetchError: it is refused, too large, or all attempts failed.
    """
    give_up = time.monotonic() + policy.deadline
    said = ""
    with httpx.Client(timeout=policy.request_timeout, follow_redirects=False, trust_env=False) as client:
        for attempt in range(1, policy.attempts + 1):
            try:
                return _attempt(client, url, token, digest, target, max_bytes=max_bytes, give_up=give_up)
            except _Transient as error:
                said = str(error)
            pause = policy.pause(attempt)
            if attempt == policy.attempts or time.monotonic() + pause > give_up:
                break
            sleep(pause)
    raise BundleFetchError(
        f"{url} could not be downloaded in {attempt} attempts: {said}. "
        "Check that the operator runs and that network policies let this pod reach it."
    )


def _attempt(
    client: httpx.Client, url: str, token: str, digest: str, target: Path, *, max_bytes: int, give_up: float
) -> int:
    found = hashlib.sha256()
    size = 0
    # The archive must arrive as it is: a transparent content coding would be undone before the digest is taken.
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    try:
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise _refused(url, digest, response.status_code)
            with target.open("wb") as out:
                for block in response.iter_raw(_BLOCK):
                    size += len(block)
                    if size > max_bytes:
                        raise BundleFetchError(
                            f"{url} is larger than {max_bytes} bytes; lower spec.limits.size of the Bundle."
                        )
                    if time.monotonic() > give_up:
                        raise _Transient(f"only {size} bytes came in the time allowed")
                    found.update(block)
                    out.write(block)
    except httpx.InvalidURL as error:
        raise BundleFetchError(f"{url!r} is no URL: {error}.") from error
    except httpx.UnsupportedProtocol as error:
        raise BundleFetchError(f"{url!r} is no http or https URL.") from error
    except httpx.HTTPError as error:
        raise _Transient(f"{type(error).__name__}: {error}") from error
    if f"sha256:{found.hexdigest()}" != digest:
        raise _Transient(f"the content has the digest sha256:{found.hexdigest()}, not {digest}")
    return size


def _refused(url: str, digest: str, status: int) -> Exception:
    if status in {401, 403}:
        return BundleFetchError(
            f"{url} refuses the token for {digest} (HTTP {status}); the operator's artifact key has changed or the "
            "pod's platform Secret is stale. Delete the pod once the Bot is reconciled."
        )
    if status in _FINAL_STATUSES:
        return BundleFetchError(f"{url} answers HTTP {status}; check the operator's version and address.")
    if status == httpx.codes.NOT_FOUND:
        return _Transient("the artifact is not in the operator's storage (HTTP 404); it fetches it again by itself")
    return _Transient(f"HTTP {status}")
