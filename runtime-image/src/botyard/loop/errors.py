"""What the handler of a tool raises instead of returning a result.

Source: the document of the loop model and the facts about its existing kit (names, keyword arguments).
"""

from collections.abc import Sequence
from importlib import import_module


class WaitForSubchats(Exception):
    """The result of this call is what the given subchats bring; the thread waits for them.

    Attributes:
        subchats: Ids of the threads to wait for, as `bot_subchat_create_multiple` returned them.
    """

    def __init__(self, subchats: Sequence[str]) -> None:
        super().__init__(f"waits for {len(subchats)} subchats")
        self.subchats = tuple(subchats)


class NeedsConfirmation(Exception):
    """A person must allow this call first; it is then made again with `confirmed_by_human`.

    Attributes:
        confirm_setup_key: Key of the setup with which the Persona's owner allows such calls for good; may be empty.
        confirm_command: What would be done, in the form of a command.
        confirm_explanation: Why, for the person who decides.
    """

    def __init__(
        self, *, confirm_setup_key: str = "", confirm_command: str = "", confirm_explanation: str = ""
    ) -> None:
        super().__init__(confirm_explanation or confirm_command or "needs a confirmation")
        self.confirm_setup_key = confirm_setup_key
        self.confirm_command = confirm_command
        self.confirm_explanation = confirm_explanation


class AlreadyFakedResult(Exception):
    """A scenario has answered this call already; the handler has nothing to add."""


class TransportError(Exception):
    """A service that a handler used refused; the message goes to the model as it is, for it can act on it."""


class PlatformError(TransportError):
    """The platform refused what a bot asked of it.

    Attributes:
        code: Why, in one word where there is one, such as `NotFound`.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def is_refusal(error: BaseException) -> bool:
    """Tell whether the model may read what an exception says: a service refused, it is no fault of the bot.

    Bots of the existing kit know `gql.transport.exceptions.TransportError` for that.
    """
    return isinstance(error, TransportError) or any(
        (kind.__module__, kind.__name__) == ("gql.transport.exceptions", "TransportError")
        for kind in type(error).__mro__
    )


def query_error(message: str) -> Exception:
    """Return the exception by which bots of the existing kit recognise a refused query."""
    try:
        kind = import_module("gql.transport.exceptions").TransportQueryError
    except ImportError:  # gql comes with the image, and with the extra `bundles`.
        return PlatformError(message)
    error: Exception = kind(message)
    return error
