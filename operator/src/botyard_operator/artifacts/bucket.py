"""A bucket of an S3-compatible service, as the artifact store needs it: whole objects, listings, deletions.

All methods block; callers in an event loop use threads. What goes wrong becomes a StorageError that says what to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botyard_operator.artifacts.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential

logger = logging.getLogger(__name__)

_BLOCK = 1 << 20
_PART = 8 << 20
_PARTS_AT_ONCE = 2
_CONNECT_TIMEOUT = timedelta(seconds=5)
_SILENCE_TIMEOUT = timedelta(seconds=20)
_TRANSFER_TIMEOUT = timedelta(minutes=15)
_RETRIES = 2
_RETRY_TIMEOUT = timedelta(seconds=20)
_CREDENTIALS_AGE = timedelta(minutes=5)
_MAX_DETAIL = 400
_ACCESS_KEY, _SECRET_KEY, _TOKEN, _AUTHORITY = "access-key-id", "secret-access-key", "session-token", "ca.crt"

_ADVICE = (
    (re.compile("NoSuchBucket"), "does not exist; create it, or correct its name"),
    (re.compile("QuotaExceeded|507 Insufficient"), "is full; raise its quota or retain fewer revisions"),
    (re.compile("403 Forbidden|401 Unauthorized"), "refuses the credentials; correct their Secret, or their rights"),
)
"""What the service's words mean; the client has few kinds of errors of its own."""
_OUT_OF_REACH = "cannot be reached; check its endpoint and the network to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSettings:
    """Where a bucket is and who may use it."""

    url: str
    """`s3://bucket/prefix`."""
    endpoint: str = ""
    """Of the service, such as `https://s3.example.com`; empty: Amazon's."""
    region: str = "us-east-1"
    credentials: Path | None = None
    """Folder of a mounted Secret with `access-key-id` and `secret-access-key`, perhaps `session-token` and `ca.crt`;
    None: what the environment gives, such as a web identity token."""

    def __post_init__(self) -> None:
        """Hold the addresses against what they must be; raises ValueError."""
        parts = urlsplit(self.url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(f"{self.url!r} is no bucket; write s3://bucket or s3://bucket/folder")
        if self.endpoint and (urlsplit(self.endpoint).scheme not in {"http", "https"} or "@" in self.endpoint):
            raise ValueError("the endpoint of the bucket must be an http or https URL without user")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a bucket."""

    size: int
    modified: float
    """Seconds since the epoch, by the service's clock."""


class Bucket:
    """One folder of a bucket."""

    def __init__(self, settings: BucketSettings) -> None:
        """Prepare; nothing is contacted yet."""
        # Only installations with a bucket pay for the client's memory.
        import obstore
        from obstore.store import S3Store

        self._obstore: Any = obstore
        self._settings = settings
        self.url = settings.url.rstrip("/")
        parts = urlsplit(self.url)
        folder = settings.credentials
        options: ClientConfig = {
            "connect_timeout": _CONNECT_TIMEOUT,
            "read_timeout": _SILENCE_TIMEOUT,
            "timeout": _TRANSFER_TIMEOUT,
            "allow_http": settings.endpoint.startswith("http://"),
        }
        if folder is not None and (folder / _AUTHORITY).is_file():
            options["root_certificate"] = (folder / _AUTHORITY).read_bytes()
        config: S3Config = {"region": settings.region}
        if settings.endpoint:
            config["endpoint"] = settings.endpoint
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=config,
            client_options=options,
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT},
            credential_provider=self._credentials if folder is not None else None,
        )

    def list(self, prefix: str) -> Iterator[tuple[str, Stored]]:
        """Yield key and properties of all objects below a prefix; raises StorageError."""
        with self._explained():
            for batch in self._obstore.list(self._store, prefix, chunk_size=1000):
                for entry in batch:
                    yield entry["path"], Stored(entry["size"], entry["last_modified"].timestamp())

    def upload(self, key: str, file: Path) -> None:
        """Store a file whole or not at all; raises StorageError."""
        with self._explained():
            self._obstore.put(self._store, key, file, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def write(self, key: str, text: str) -> None:
        """Store a small text; raises StorageError."""
        with self._explained():
            self._obstore.put(self._store, key, text.encode(), use_multipart=False)

    def download(self, key: str, target: Path, *, max_bytes: int | None = None) -> str:
        """Load an object into a file.

        Args:
            key: Of the object.
            target: File to write.
            max_bytes: What is larger is not loaded to its end.

        Returns:
            The digest of what came, `sha256:<hex>`.

        Raises:
            FileNotFoundError: There is no such object.
            StorageError: The bucket cannot be reached or refuses.
        """
        found, size = hashlib.sha256(), 0
        with self._explained(missing_is_fine=True):
            answer = self._obstore.get(self._store, key)
            with target.open("wb") as out:
                for block in answer.stream(min_chunk_size=_BLOCK):
                    size += len(block)
                    if max_bytes is not None and size > max_bytes:
                        break
                    found.update(block)
                    out.write(block)
        return f"sha256:{found.hexdigest()}"

    def delete(self, key: str) -> None:
        """Remove an object, if it is there; raises StorageError."""
        with self._explained(missing_is_fine=True), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, key)

    def _credentials(self) -> S3Credential:
        """Read the mounted Secret anew now and then, so that a changed one is in force without a restart."""
        folder = self._settings.credentials
        assert folder is not None
        token = folder / _TOKEN
        return {
            "access_key_id": (folder / _ACCESS_KEY).read_text().strip(),
            "secret_access_key": (folder / _SECRET_KEY).read_text().strip(),
            "token": token.read_text().strip() if token.is_file() else None,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_AGE,
        }

    @contextlib.contextmanager
    def _explained(self, *, missing_is_fine: bool = False) -> Iterator[None]:
        """Turn the client's errors into one that a person can act on."""
        errors = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError as error:
            if missing_is_fine:
                raise
            raise self._error("NoSuchBucket", error) from error
        except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
            raise self._error("403 Forbidden", error) from error
        except errors.BaseError as error:
            raise self._error(str(error), error) from error

    def _error(self, said: str, error: Exception) -> StorageError:
        advice = next((advice for words, advice in _ADVICE if words.search(said)), _OUT_OF_REACH)
        # The client's words may quote what the service says of a signature; they are for the log alone.
        shown = " ".join(str(error).split())[:_MAX_DETAIL]
        logger.warning("the bucket %s %s: %s", self.url, advice.partition(";")[0], shown)
        return StorageError(f"the bucket {self.url} {advice}", full=advice.startswith("is full"))
