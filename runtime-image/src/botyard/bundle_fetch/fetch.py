"""`botyard fetch`: brings the verified bundle into the pod before its containers start."""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from botyard.bundle_fetch.download import BundleFetchError, RetryPolicy, download
from botyard.bundle_fetch.unpack import UnpackLimits, unpack
from botyard.contract import names

MAX_DOWNLOAD_BYTES = 1024 * 1024 * 1024
DEFAULT_LIMITS = UnpackLimits()
DEFAULT_POLICY = RetryPolicy()
TERMINATION_LOG = Path("/dev/termination-log")
"""Kubernetes shows what is written here as the container's last words."""
_MAX_TERMINATION_BYTES = 4096
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def fetch(
    url: str,
    token: str,
    digest: str,
    dest: Path,
    *,
    max_bytes: int = MAX_DOWNLOAD_BYTES,
    limits: UnpackLimits = DEFAULT_LIMITS,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> int:
    """Download an artifact, verify its digest and make `dest` hold its content.

    Args:
        url: where the artifact is served.
        token: the token that belongs to the digest.
        digest: `sha256:<hex>`; nothing is unpacked unless the content has it.
        dest: folder for the content; what it held before is replaced.
        max_bytes: limit on the download, in bytes.
        limits: limits on the unpacked content.
        policy: retries of the download.

    Returns:
        The number of files and links unpacked.

    Raises:
        BundleFetchError: with a message that says what to do.
    """
    if not _DIGEST.fullmatch(digest):
        raise BundleFetchError(f"{digest!r} is no digest; sha256: and 64 hexadecimal digits are expected.")
    try:
        dest.mkdir(parents=True, exist_ok=True)
        # Beside the content: in a pod the bundle's volume is often the only place that may be written.
        with tempfile.TemporaryDirectory(prefix=".botyard-download-", dir=dest) as folder:
            archive = Path(folder) / "artifact.tar.gz"
            download(url, token, digest, archive, max_bytes=max_bytes, policy=policy)
            return unpack(archive, dest, limits=limits)
    except OSError as error:
        raise BundleFetchError(
            f"the bundle cannot be written to {dest}: {error.strerror}. Enlarge the pod's ephemeral storage or check "
            "the volume."
        ) from error


def run_from_env(
    environ: Mapping[str, str] = os.environ,
    *,
    dest: Path = Path(names.BUNDLE_DIR),
    layer_dest: Path = Path(names.LAYER_DIR),
    platform_dir: Path = Path(names.PLATFORM_DIR),
    termination_log: Path = TERMINATION_LOG,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> int:
    """Fetch what the pod's environment names; the body of `botyard fetch`.

    Returns:
        The exit code: 0, or 1 with the reason on stderr and in the termination log.
    """
    try:
        url, digest = (_required(environ, name) for name in (names.ENV_ARTIFACT_URL, names.ENV_ARTIFACT_DIGEST))
        count = fetch(url, _token(platform_dir / names.ARTIFACT_TOKEN_FILE), digest, dest, policy=policy)
        if layer := environ.get(names.ENV_LAYER_DIGEST):
            token = _token(platform_dir / names.LAYER_TOKEN_FILE)
            count += fetch(_required(environ, names.ENV_LAYER_URL), token, layer, layer_dest, policy=policy)
    except BundleFetchError as error:
        message = f"botyard fetch: {error}"
        print(message, file=sys.stderr)
        if termination_log.exists():
            termination_log.write_bytes(message.encode()[:_MAX_TERMINATION_BYTES])
        return 1
    print(f"botyard fetch: {environ.get(names.ENV_REVISION) or digest}: {count} files in {dest}")
    return 0


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise BundleFetchError(f"the environment has no {name}; pods made by the operator have it.")
    return value


def _token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleFetchError(f"the token {path} cannot be read: {error}. Mount the Bot's platform Secret.") from error
    if not token or not token.isascii() or not token.isprintable():
        raise BundleFetchError(f"the token {path} is empty or damaged; reconcile the Bot again.")
    return token
