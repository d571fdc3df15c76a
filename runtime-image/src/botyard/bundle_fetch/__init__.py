"""The pod's side of artifacts: download, verify, unpack (`botyard fetch`, the init container of a runtime pod)."""

from botyard.bundle_fetch.download import BundleFetchError, RetryPolicy
from botyard.bundle_fetch.fetch import fetch, run_from_env

__all__ = ["BundleFetchError", "RetryPolicy", "fetch", "run_from_env"]
