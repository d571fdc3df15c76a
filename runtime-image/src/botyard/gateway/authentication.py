"""Who calls: static tokens, what Kubernetes says (`token_reviews`), or nobody is asked (laptops)."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from botyard.gateway.identity import Permission, Principal
from botyard.gateway.problems import Problem

log = logging.getLogger(__name__)


class Authenticator(Protocol):
    """Turns a bearer token into a principal."""

    async def authenticate(self, token: str | None) -> Principal | None:
        """Return who holds the token; None: this authenticator does not know it.

        Raises:
            Problem: `authentication-unavailable` when it could not be found out.
        """


class Nobody:
    """Asks for nothing: every caller is the same local user, who may do everything. For loopback only."""

    def __init__(self, subject: str = "local") -> None:
        self._principal = Principal(subject=subject, anonymous=True)

    async def authenticate(self, token: str | None) -> Principal | None:
        """Return the local user."""
        return self._principal


class _TokenPermission(BaseModel):
    model_config = ConfigDict(extra="forbid")

    namespace: str
    bots: list[str] = Field(default=["*"])
    verbs: list[str] = Field(default=["use"])


class _Token(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    subject: str = Field(min_length=1, max_length=256)
    groups: list[str] = Field(default_factory=list)
    expires: datetime | None = None
    permissions: list[_TokenPermission] = Field(default_factory=list)


class _TokenFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tokens: list[_Token]


class StaticTokens:
    """Tokens of a YAML or JSON file, kept as SHA-256; for installations whose users Kubernetes does not know.

    The file is read again when it changes (looked at once a second at most). A file that became invalid keeps the
    last good content in force.

    Args:
        path: `{tokens: [{sha256, subject, groups?, expires?, permissions: [{namespace, bots?, verbs?}]}]}`.

    Raises:
        ValueError: The file is not readable or not valid at the start.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._looked_at = 0.0
        self._tokens: dict[str, tuple[Principal, float | None]] = {}
        try:
            self._load()
        except OSError as error:
            raise ValueError(f"cannot read the token file {path}: {error.strerror or error}") from None

    async def authenticate(self, token: str | None) -> Principal | None:
        """Return the token's subject unless it expired."""
        if token is None:
            return None
        self._reload()
        found = self._tokens.get(hashlib.sha256(token.encode()).hexdigest())
        if found is None:
            return None
        principal, expires = found
        return principal if expires is None or self._clock() < expires else None

    def _reload(self) -> None:
        now = self._clock()
        if 0 <= now - self._looked_at < 1:
            return
        self._looked_at = now
        try:
            if self._stamp_now() != self._stamp:
                self._load()
        except (OSError, ValueError) as error:
            log.error("the token file stays as it was: %s", error)

    def _stamp_now(self) -> tuple[int, int, int]:
        stat = self._path.stat()
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _load(self) -> None:
        stamp = self._stamp_now()
        try:
            content = _TokenFile.model_validate(yaml.safe_load(self._path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{self._path} is not YAML: {error}") from None
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{self._path}: {place}: {first['msg']}") from None
        self._tokens = {
            token.sha256: (
                Principal(
                    subject=token.subject,
                    groups=tuple(token.groups),
                    permissions=tuple(
                        Permission(namespace=item.namespace, bots=tuple(item.bots), verbs=tuple(item.verbs))
                        for item in token.permissions
                    ),
                ),
                token.expires.timestamp() if token.expires else None,
            )
            for token in content.tokens
        }
        self._stamp = stamp


class Either:
    """Asks several authenticators in turn; the first that knows the token decides."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = authenticators

    async def authenticate(self, token: str | None) -> Principal | None:
        """Return the first answer."""
        for authenticator in self._authenticators:
            principal = await authenticator.authenticate(token)
            if principal is not None:
                return principal
        return None


def bearer(header: str | None) -> str | None:
    """Return the token of an Authorization header; None if there is none.

    Raises:
        Problem: `unauthenticated` when there is a header of another scheme or without a token.
    """
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            "unauthenticated",
            "The header Authorization must read `Bearer <token>`.",
            headers={"WWW-Authenticate": 'Bearer realm="botyard", error="invalid_request"'},
        )
    return token
