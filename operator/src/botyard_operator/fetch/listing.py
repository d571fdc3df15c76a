"""What refs of a remote name now: one `git ls-remote` in a process of its own, and no Python.

For remotes over SSH, and for those that `http_listing` gets no clean answer from. Starting an interpreter would cost
more than ten times what git needs to ask.
"""

import asyncio
import logging
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Collection
from pathlib import Path

from botyard_operator.fetch.environment import git_environment, secrets_of
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.process import base_environment, kill_group, read_capped
from botyard_operator.fetch.remote import GitFailed
from botyard_operator.fetch.request import Credentials
from botyard_operator.fetch.runner import FetchSettings
from botyard_operator.fetch.url import GitUrl, redact

logger = logging.getLogger(__name__)

_MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_MAX_STDERR_BYTES = 16 * 1024
_GRACE_SECONDS = 5
_COMMAND = (
    "sh",
    "-c",
    'umask 077; ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; ulimit -f 64; wall=$3; shift 3; '
    # The operator ends the process group in time; should it be gone, this does.
    'exec timeout --signal=KILL "$wall" git ls-remote --quiet -- "$@"',
    "ls-remote",
)


class RefLister:
    """Lists refs of remotes under the limits of the installation."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings

    @property
    def max_timeout_seconds(self) -> float:
        """The installation's limit on the time of a look."""
        return self._settings.max_timeout_seconds

    async def list(
        self,
        url: GitUrl,
        refs: Collection[str],
        work_dir: Path,
        *,
        protocols: Collection[str],
        credentials: Credentials,
        timeout_seconds: float,
    ) -> dict[str, str]:
        """Ask a remote what refs name.

        Args:
            url: the remote.
            refs: full names or patterns of refs.
            work_dir: an empty folder of the caller, which removes it afterwards.
            protocols: transports that the installation allows.
            credentials: for the remote.
            timeout_seconds: wall-clock time, capped by the installation's limit.

        Returns:
            The object id of each ref that exists; an annotated tag's commit is under its name and `^{}`.

        Raises:
            FetchError: TimedOut.
            GitFailed: git could not ask; its words are free of credentials.
        """
        timeout = min(timeout_seconds, self.max_timeout_seconds)
        home = work_dir / "home"
        home.mkdir()
        own = git_environment(url, home=home, protocols=protocols, credentials=credentials)
        limits = (int(timeout) + 1, self._settings.memory_bytes // 1024, timeout + _GRACE_SECONDS)
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            *(f"{limit:g}" if isinstance(limit, float) else str(limit) for limit in limits),
            url.clean,
            *(name for ref in refs for name in (ref, f"{ref}^{{}}")),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=work_dir,
            env={**base_environment(), **own},
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(timeout):
                out, err, code = await asyncio.gather(
                    read_capped(process.stdout, _MAX_OUTPUT_BYTES),
                    read_capped(process.stderr, _MAX_STDERR_BYTES),
                    process.wait(),
                )
        except TimeoutError:
            raise FetchError(
                Reason.TIMED_OUT,
                f"{url.clean} did not say within {timeout:g} s what its refs name; "
                "check the network to the server or raise spec.timeout.",
            ) from None
        finally:
            await kill_group(process)
        said = redact(err.decode(errors="replace"), secrets_of(credentials)).strip()
        logger.debug("ls-remote of %s: code %s %s", url.clean, code, said)
        if code:
            killed = f"\nkilled by signal {signal.Signals(-code).value}" if code < 0 else ""
            raise GitFailed(f"{said}{killed}")
        return _parse(out)


def _parse(output: bytes) -> dict[str, str]:
    # What lies beyond the cap is cut off, perhaps in the middle of a line.
    lines = output.decode(errors="replace").split("\n")[:-1]
    return {name: oid for oid, tab, name in (line.partition("\t") for line in lines) if tab}
