"""The public keys of an OIDC issuer: discovered, kept for a while, looked at again when a new one is used.

Behaviour follows OpenID Connect Discovery 1.0 and RFC 7517 (JWK).
"""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from botyard.gateway.problems import Problem
from botyard.gateway.settings import is_loopback

log = logging.getLogger(__name__)

FETCH_TIMEOUT_SECONDS = 5.0
KEEP_SECONDS = 3600.0
"""After which keys are fetched again, though nothing unknown came: a withdrawn key is honoured this long."""
LONGEST_KEEP_SECONDS = 24 * 3600.0
"""How long keys serve while the issuer cannot be reached."""
UNKNOWN_SECONDS = 10.0
"""Between fetches for keys that are not known: forged tokens must not make us ask the issuer all the time."""
MOST_KEYS = 100
_MOST_BYTES = 1_048_576
_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class SigningKeys:
    """Keys of one issuer by their `kid`.

    Args:
        issuer: The issuer's URL, as tokens name it.
        ca_file: Certificates that are trusted instead of the system's.
        clock: Seconds, monotonic; tests give their own.

    Raises:
        ValueError: The URL is neither https nor on this machine, or the certificates cannot be read.
    """

    def __init__(
        self, issuer: str, *, ca_file: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        _check_url(issuer, "the issuer")
        self._issuer = issuer
        self._clock = clock
        try:
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cannot read certificates from {ca_file}: {error}") from None
        self._http = httpx.AsyncClient(verify=context, timeout=FETCH_TIMEOUT_SECONDS, follow_redirects=False)
        self._keys: list[Mapping[str, Any]] = []
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> list[PyJWK]:
        """Return the keys that may have signed a token.

        Args:
            kid: The token's key id; None: all keys of the algorithm may.
            algorithm: The token's algorithm, which the caller allows.

        Raises:
            Problem: `authentication-unavailable` while the issuer cannot be asked and must be.
        """
        if self._stale():
            await self._refresh(lambda: self._stale())
        found = self._matching(kid, algorithm)
        if not found and self._may_ask_again():
            await self._refresh(self._may_ask_again)
            found = self._matching(kid, algorithm)
        return found

    async def close(self) -> None:
        """End connections."""
        await self._http.aclose()

    def _stale(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at > KEEP_SECONDS

    def _may_ask_again(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= UNKNOWN_SECONDS

    async def _refresh(self, needed: Callable[[], bool]) -> None:
        """Fetch the keys, once for all who wait for them.

        Raises:
            Problem: It failed, and there are no keys that may still be used.
        """
        async with self._lock:
            if not needed():
                return
            usable = self._fetched_at is not None and self._clock() - self._fetched_at < LONGEST_KEEP_SECONDS
            if usable and self._tried_at is not None and not self._may_ask_again():
                return
            self._tried_at = self._clock()
            try:
                self._keys = await self._fetch()
                self._fetched_at = self._clock()
            except (httpx.HTTPError, ValueError) as error:
                log.error("the keys of %s cannot be fetched: %s", self._issuer, error or type(error).__name__)
                if not usable:
                    raise Problem("authentication-unavailable", retry_after=5) from None

    async def _fetch(self) -> list[Mapping[str, Any]]:
        discovery = await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if discovery.get("issuer") != self._issuer:
            raise ValueError(f"it says that the issuer is {str(discovery.get('issuer'))[:200]!r}")
        address = discovery.get("jwks_uri")
        if not isinstance(address, str):
            raise ValueError("it names no jwks_uri")
        _check_url(address, "the jwks_uri")
        keys = (await self._get(address)).get("keys")
        if not isinstance(keys, list):
            raise ValueError(f"{address} holds no list of keys")
        return [key for key in keys[:MOST_KEYS] if isinstance(key, dict)]

    async def _get(self, url: str) -> Mapping[str, Any]:
        body = bytearray()
        async with self._http.stream("GET", url, headers={"Accept": "application/json"}) as response:
            if response.status_code != 200:
                raise ValueError(f"{url} answers {response.status_code}")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ValueError(f"{url} answers with more than {_MOST_BYTES} bytes")
        content = json.loads(body)
        if not isinstance(content, dict):
            raise ValueError(f"{url} holds no JSON object")
        return content

    def _matching(self, kid: str | None, algorithm: str) -> list[PyJWK]:
        found = []
        for key in self._keys:
            if kid in (None, key.get("kid")) and _fits(key, algorithm):
                try:
                    found.append(PyJWK(dict(key), algorithm=algorithm))
                except PyJWTError as error:
                    log.warning("a key of %s cannot be used: %s", self._issuer, type(error).__name__)
        return found


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Tell whether a key is made for signatures by the algorithm; a token must not choose what a key is used for."""
    if key.get("use") not in (None, "sig") or key.get("alg") not in (None, algorithm):
        return False
    if key.get("kty") != _TYPES[algorithm[:2]]:
        return False
    if algorithm in _CURVES:
        return key.get("crv") == _CURVES[algorithm]
    # Six bits are one character of base64url.
    return key.get("kty") != "RSA" or len(str(key.get("n", "")).rstrip("=")) * 6 >= _RSA_BITS


def _check_url(url: str, what: str) -> None:
    parts = urlsplit(url)
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.netloc or not (parts.scheme == "https" or local):
        raise ValueError(f"{what} must be an https:// URL, not {url[:200]!r}")
