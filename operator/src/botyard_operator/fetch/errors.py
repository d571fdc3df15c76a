"""Why a fetch failed: what each of the documented reasons means for a retry."""

from botyard_operator.api.reasons import Reason

__all__ = ["CONTENT", "HOST_TROUBLE", "SIGNATURE", "TERMINAL", "FetchError", "Reason"]

TERMINAL = frozenset(
    {
        Reason.AUTHENTICATION_FAILED,
        Reason.CERTIFICATE_INVALID,
        Reason.HOST_KEY_UNKNOWN,
        Reason.HOST_KEY_CHANGED,
        Reason.SECRET_NOT_FOUND,
        Reason.SECRET_KEY_MISSING,
        Reason.CREDENTIALS_INVALID,
        Reason.REDIRECT_REFUSED,
        Reason.PATH_NOT_FOUND,
        Reason.SOURCE_EMPTY,
        Reason.TOO_LARGE,
        Reason.TOO_MANY_FILES,
        Reason.UNSAFE_PATH,
        Reason.URL_INVALID,
        Reason.PROTOCOL_NOT_ALLOWED,
        Reason.RANGE_INVALID,
        Reason.NOT_SIGNED,
        Reason.SIGNATURE_REFUSED,
        Reason.SUBMODULE_INVALID,
        Reason.ARCHIVE_UNREADABLE,
        Reason.DIGEST_MISMATCH,
    }
)
"""Reasons that somebody has to repair: shown as Stalled and looked at again at the next poll, not in a retry loop."""


CONTENT = frozenset(
    {
        Reason.PATH_NOT_FOUND,
        Reason.SOURCE_EMPTY,
        Reason.TOO_LARGE,
        Reason.TOO_MANY_FILES,
        Reason.UNSAFE_PATH,
        Reason.NOT_SIGNED,
        Reason.SIGNATURE_REFUSED,
        Reason.SUBMODULE_INVALID,
        Reason.ARCHIVE_UNREADABLE,
    }
)
"""Reasons that lie in the content of one commit: the same commit need not be fetched again to know them."""

SIGNATURE = frozenset({Reason.NOT_SIGNED, Reason.SIGNATURE_REFUSED})
"""Reasons that the condition Verified tells."""

HOST_TROUBLE = frozenset({Reason.HOST_NOT_FOUND, Reason.CONNECTION_FAILED, Reason.SERVER_ERROR, Reason.TIMED_OUT})
"""Reasons that speak of the host, for which all fetches from it pause together."""


class FetchError(Exception):
    """A fetch that did not produce an archive.

    Attributes:
        reason: the documented reason, used as the condition's reason.
        message: names the object at fault and what to do; free of credentials.
        retryable: whether an early retry (with backoff) may help by itself.
        commit: the identity (see `FetchRequest.identity`) whose content was refused, when the error is about content;
            empty otherwise.
    """

    def __init__(self, reason: Reason, message: str, *, retryable: bool | None = None, commit: str = "") -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.retryable = reason not in TERMINAL if retryable is None else retryable
        self.commit = commit
