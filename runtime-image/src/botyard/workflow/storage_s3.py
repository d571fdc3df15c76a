"""Storage in a bucket of an S3-compatible service: `s3://bucket` or `s3://bucket/folder`.

Endpoint, region and keys are those of the environment, under the usual names (AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), which a Bot's credentials give its bundle.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from botyard.workflow.errors import StorageError

_CONNECT_TIMEOUT = timedelta(seconds=5)
_SILENCE_TIMEOUT = timedelta(seconds=20)
_TRANSFER_TIMEOUT = timedelta(minutes=15)
_RETRIES = 2
_RETRY_TIMEOUT = timedelta(seconds=20)
_DEFAULT_REGION = "us-east-1"
_ENVIRONMENT = {
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "access_key_id": ("AWS_ACCESS_KEY_ID",),
    "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
    "token": ("AWS_SESSION_TOKEN",),
}


class S3Storage:
    """Files as objects of a bucket."""

    def __init__(self, uri: str) -> None:
        """Prepare; nothing is contacted yet.

        Raises:
            StorageError: The address is no bucket, or the client is not installed.
        """
        parts = urlsplit(uri)
        if not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise StorageError(f"{parts.scheme}://{parts.netloc} is no bucket: write s3://bucket or s3://bucket/folder")
        try:
            # Only bundles with a bucket pay for the client's memory.
            import obstore
            from obstore.store import S3Store
        except ImportError:
            raise StorageError("buckets need the package obstore: pip install obstore") from None
        self._obstore: Any = obstore
        self._name = f"s3://{parts.netloc}"
        config: dict[str, Any] = {"region": _DEFAULT_REGION}
        for name, variables in _ENVIRONMENT.items():
            if value := next((os.environ[each] for each in variables if os.environ.get(each)), None):
                config[name] = value
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=config,  # type: ignore[arg-type]
            client_options={
                "connect_timeout": _CONNECT_TIMEOUT,
                "read_timeout": _SILENCE_TIMEOUT,
                "timeout": _TRANSFER_TIMEOUT,
                "allow_http": str(config.get("endpoint", "")).startswith("http://"),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT},
        )

    def write(self, path: str, content: bytes) -> None:
        """Keep `content`, whole or not at all."""
        key = _key(path)
        with self._explained():
            self._obstore.put(self._store, key, content)

    def read(self, path: str) -> bytes:
        """Return what is kept; raises FileNotFoundError."""
        key = _key(path)
        with self._explained(missing_is_fine=True):
            return bytes(self._obstore.get(self._store, key).bytes())

    def exists(self, path: str) -> bool:
        """Tell whether something is kept there."""
        key = _key(path)
        try:
            with self._explained(missing_is_fine=True):
                self._obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        return True

    def delete(self, path: str) -> None:
        """Remove what is kept there, if anything."""
        key = _key(path)
        with self._explained(missing_is_fine=True), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, key)

    def walk(self, prefix: str = "") -> Iterator[str]:
        """Yield the paths below a folder, in their order."""
        folder = _key(prefix) if prefix else None
        with self._explained():
            found = [entry["path"] for batch in self._obstore.list(self._store, folder) for entry in batch]
        yield from sorted(found)

    @contextlib.contextmanager
    def _explained(self, *, missing_is_fine: bool = False) -> Iterator[None]:
        errors = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError as error:
            # A bucket that is not there and an object that is not there are one kind of error.
            if missing_is_fine and "NoSuchBucket" not in str(error):
                raise
            raise StorageError(f"the bucket {self._name} does not exist; create it, or correct its name") from error
        except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
            raise StorageError(f"the bucket {self._name} refuses the credentials") from error
        except errors.BaseError as error:
            raise StorageError(f"the bucket {self._name} cannot be reached, or failed") from error


def _key(path: str) -> str:
    parts = PurePosixPath(path.lstrip("/")).parts
    if not parts or ".." in parts or "\0" in path:
        raise StorageError(f"{path!r} is no path inside the storage")
    return "/".join(parts)
