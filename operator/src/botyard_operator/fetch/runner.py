"""Starts fetch children and makes sure that they end: the operator's side of a fetch."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from botyard_operator.fetch.environment import secrets_of
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.forks import Fork, ForkServer
from botyard_operator.fetch.process import read_capped
from botyard_operator.fetch.request import ChildRequest, FetchRequest, FetchResult
from botyard_operator.fetch.url import redact, redact_url

logger = logging.getLogger(__name__)

_MAX_REPORT_BYTES = 64 * 1024
_MAX_STDERR_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """Limits of the installation, whatever a Bundle asks for."""

    max_download_bytes: int = 1024 * 1024 * 1024
    """Limit on each file that git writes while it fetches, in bytes."""
    memory_bytes: int = 512 * 1024 * 1024
    """Address space of each process of a fetch."""
    max_timeout_seconds: float = 600.0
    """Longest wall-clock time of a fetch."""


class Fetcher:
    """Runs one fetch at a time for each call, in a child process of its own."""

    def __init__(self, settings: FetchSettings = FetchSettings()) -> None:
        self.settings = settings
        self._forks = ForkServer()

    async def fetch(self, request: FetchRequest, work_dir: Path) -> FetchResult:
        """Fetch a source.

        Args:
            request: what to fetch.
            work_dir: an empty folder of the caller, which removes it afterwards. After success it holds the archive
                under `ARCHIVE_NAME`.

        Returns:
            A report with outcome `unchanged` or `fetched`.

        Raises:
            FetchError: with the documented reason. Whatever happens, no process of the fetch is left when this returns
                or is cancelled.
        """
        timeout = min(request.timeout_seconds, self.settings.max_timeout_seconds)
        child_request = ChildRequest(
            **(request.model_dump() | {"timeout_seconds": timeout}),
            work_dir=work_dir,
            max_download_bytes=self.settings.max_download_bytes,
            memory_bytes=self.settings.memory_bytes,
            cpu_seconds=int(timeout) + 1,
        )
        try:
            async with asyncio.timeout(timeout), self._forks.child(work_dir) as child:
                stderr, text, code = await _converse(child, child_request.model_dump_json().encode())
        except TimeoutError:
            raise FetchError(
                Reason.TIMED_OUT,
                f"{redact_url(request.url)} was not fetched within {timeout:g} s; "
                "check the network to the server or raise spec.timeout.",
            ) from None
        return _result(text, stderr, code, request)

    async def close(self) -> None:
        """End what is kept for later fetches."""
        await self._forks.close()


async def _converse(child: Fork, request: bytes) -> tuple[bytes, bytes, int]:
    """Hand over the request; return what is said on stderr, the report and the exit code."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(request)
        await child.stdin.drain()
    child.stdin.close()
    text, stderr, code = await asyncio.gather(
        read_capped(child.report, _MAX_REPORT_BYTES), read_capped(child.stderr, _MAX_STDERR_BYTES), child.wait()
    )
    return stderr, text, code


def _result(text: bytes, stderr: bytes, code: int, request: FetchRequest) -> FetchResult:
    said = redact(stderr.decode(errors="replace"), secrets_of(request.credentials)).strip()
    logger.debug("fetch of %s: %s", redact_url(request.url), said)
    try:
        result = FetchResult.model_validate_json(text)
    except ValidationError:
        if code < 0:
            raise FetchError(
                Reason.FETCH_FAILED, f"the fetch process was killed by signal {-code}; it is tried again."
            ) from None
        logger.error("fetch of %s ended with code %s: %s", redact_url(request.url), code, said)
        raise FetchError(
            Reason.FETCH_FAILED, f"the fetch process ended with code {code} without a report; see the operator's log."
        ) from None
    if result.reason is Reason.FETCH_FAILED:
        logger.warning("fetch of %s: %s", redact_url(request.url), said)
    result.raise_for_failure()
    return result
