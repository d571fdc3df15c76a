"""Why a fetch failed: the documented reasons, and what each means for a retry."""

from enum import StrEnum


class Reason(StrEnum):
    """Reasons of the condition Fetched; each says by itself what kind of thing to repair."""

    HOST_NOT_FOUND = "HostNotFound"
    """The host's name does not resolve."""
    CONNECTION_FAILED = "ConnectionFailed"
    """The host refused or dropped the connection."""
    CERTIFICATE_INVALID = "CertificateInvalid"
    """The server's TLS certificate is not trusted."""
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    """The server wants credentials, or refuses those that it got."""
    CREDENTIALS_INVALID = "CredentialsInvalid"
    """The Secret is missing or holds entries that cannot be used."""
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    """The server knows no such repository (or hides it from these credentials)."""
    REPOSITORY_EMPTY = "RepositoryEmpty"
    """The repository has no commit yet."""
    REF_NOT_FOUND = "RefNotFound"
    """The branch, tag or commit does not exist."""
    REDIRECT_REFUSED = "RedirectRefused"
    """The server sent the fetch to another host."""
    SERVER_ERROR = "ServerError"
    """The server answered with a 5xx status or asked to slow down."""
    REMOTE_UNREADABLE = "RemoteUnreadable"
    """What the server sent is not git's protocol, or broke off."""
    TIMED_OUT = "TimedOut"
    """The fetch took longer than `spec.timeout`, or the transfer stalled."""
    PATH_NOT_FOUND = "PathNotFound"
    """`spec.path` is no folder of the fetched revision."""
    SOURCE_EMPTY = "SourceEmpty"
    """No file is left below `spec.path` after the ignore rules."""
    TOO_LARGE = "TooLarge"
    """The source exceeds `spec.limits.size`, or the download the installation's limit."""
    TOO_MANY_FILES = "TooManyFiles"
    """The source exceeds `spec.limits.files`."""
    UNSAFE_PATH = "UnsafePath"
    """The tree holds a name or link that would leave the folder it is unpacked to."""
    URL_INVALID = "UrlInvalid"
    """`spec.git.url` cannot be read as a git URL."""
    PROTOCOL_NOT_ALLOWED = "ProtocolNotAllowed"
    """The URL's transport is not on the installation's list."""
    DISK_FULL = "DiskFull"
    """The operator's artifact volume is full."""
    STORAGE_FAILED = "StorageFailed"
    """The artifact could not be written for another reason than room."""
    OUT_OF_MEMORY = "OutOfMemory"
    """The fetch hit its memory limit."""
    FETCH_FAILED = "FetchFailed"
    """Anything else; the message carries what git said."""


TERMINAL = frozenset(
    {
        Reason.AUTHENTICATION_FAILED,
        Reason.CERTIFICATE_INVALID,
        Reason.CREDENTIALS_INVALID,
        Reason.REDIRECT_REFUSED,
        Reason.PATH_NOT_FOUND,
        Reason.SOURCE_EMPTY,
        Reason.TOO_LARGE,
        Reason.TOO_MANY_FILES,
        Reason.UNSAFE_PATH,
        Reason.URL_INVALID,
        Reason.PROTOCOL_NOT_ALLOWED,
    }
)
"""Reasons that somebody has to repair: shown as Stalled and looked at again at the next poll, not in a retry loop."""


CONTENT = frozenset(
    {Reason.PATH_NOT_FOUND, Reason.SOURCE_EMPTY, Reason.TOO_LARGE, Reason.TOO_MANY_FILES, Reason.UNSAFE_PATH}
)
"""Reasons that lie in the content of one commit: the same commit need not be fetched again to know them."""

HOST_TROUBLE = frozenset({Reason.HOST_NOT_FOUND, Reason.CONNECTION_FAILED, Reason.SERVER_ERROR, Reason.TIMED_OUT})
"""Reasons that speak of the host, for which all fetches from it pause together."""


class FetchError(Exception):
    """A fetch that did not produce an archive.

    Attributes:
        reason: the documented reason, used as the condition's reason.
        message: names the object at fault and what to do; free of credentials.
        retryable: whether an early retry (with backoff) may help by itself.
        commit: the commit whose content was refused, when the error is about content; empty otherwise.
    """

    def __init__(self, reason: Reason, message: str, *, retryable: bool | None = None, commit: str = "") -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.retryable = reason not in TERMINAL if retryable is None else retryable
        self.commit = commit
