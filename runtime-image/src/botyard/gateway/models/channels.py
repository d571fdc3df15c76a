"""Bodies of callbacks of third parties."""

from botyard.gateway.models.base import Answer


class CallbackAccepted(Answer):
    """The callback is stored; the session that waits for it goes on."""

    conversation: str
    turn: str
    event: str
