"""Fetching of bundle sources: from a git remote to a verified, deterministic archive, in a child process with limits.

The operator's process never runs git and never reads a byte of foreign content: `runner.Fetcher` starts
`botyard_operator.fetch.child`, which talks to the remote, checks the tree and writes the archive.
"""

from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Credentials, FetchRequest, FetchResult, Ref
from botyard_operator.fetch.runner import Fetcher, FetchSettings

__all__ = [
    "Credentials",
    "FetchError",
    "FetchRequest",
    "FetchResult",
    "FetchSettings",
    "Fetcher",
    "Reason",
    "Ref",
]
