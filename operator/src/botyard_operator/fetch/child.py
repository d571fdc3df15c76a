"""The fetch child: `python -m botyard_operator.fetch.child FD`, a request on stdin, one report on descriptor FD.

It runs in its own session and folder, limits itself, and leaves either a complete archive or nothing behind.
"""

import errno
import os
import sys
import time
import traceback

from botyard_operator.fetch.archives import fetch_archive, fetch_inline
from botyard_operator.fetch.environment import secrets_of
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.limits import apply_limits
from botyard_operator.fetch.repository import fetch_repository
from botyard_operator.fetch.request import ChildRequest, FetchResult
from botyard_operator.fetch.url import redact

_SOURCES = {"archive": fetch_archive, "inline": fetch_inline}


def run(request: ChildRequest) -> FetchResult:
    """Fetch once, in this process.

    Raises:
        FetchError: with the documented reason.
    """
    return _SOURCES.get(request.ref.kind, fetch_repository)(request)


def _from_os_error(error: OSError) -> FetchError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FetchError(
            Reason.DISK_FULL, "the operator's artifact volume is full; enlarge it or retain fewer revisions."
        )
    if error.errno == errno.EFBIG:
        return FetchError(Reason.TOO_LARGE, "the archive exceeds the installation's limit on downloads.")
    return FetchError(Reason.FETCH_FAILED, f"the fetch process failed: {error.strerror}.")


def main(report_fd: int) -> int:
    """Read a request from stdin, fetch, report; return the exit code (0 also for a reported failure)."""
    request = ChildRequest.model_validate_json(sys.stdin.buffer.read())
    apply_limits(
        cpu_seconds=request.cpu_seconds,
        memory_bytes=request.memory_bytes,
        file_bytes=request.max_download_bytes,
        wall_seconds=request.timeout_seconds,
    )
    started = time.monotonic()
    try:
        result = run(request)
    except FetchError as error:
        result = FetchResult.from_error(error)
    except MemoryError:
        result = FetchResult.from_error(FetchError(Reason.OUT_OF_MEMORY, "the fetch ran out of memory."))
    except OSError as error:
        result = FetchResult.from_error(_from_os_error(error))
    except Exception as error:
        traceback.print_exc()
        result = FetchResult.from_error(
            FetchError(Reason.FETCH_FAILED, f"the fetch failed unexpectedly ({type(error).__name__}); see the log.")
        )
    clean = redact(result.message, secrets_of(request.credentials))
    with os.fdopen(report_fd, "wb") as report:
        report.write(result.model_copy(update={"message": clean}).model_dump_json().encode())
    print(f"{result.outcome} after {time.monotonic() - started:.3f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
